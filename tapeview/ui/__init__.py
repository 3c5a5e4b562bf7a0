"""The terminal: the app, its screens and the widgets that draw snapshots."""
