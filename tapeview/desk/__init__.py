"""What a person may do at the screen, and what honestly would have come of it: signals, paper orders, limits."""
