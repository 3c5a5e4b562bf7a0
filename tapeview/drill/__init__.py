"""Drills: a random moment of a random recording, a forced call, and what the market made of it.

`choice` draws recording and start from a seed, `question` finds the stop and what came after it, `hidden` plays it to
a screen that is not to know which market it is, `skill` tells skill from luck over all drills, `history` keeps them.
"""
