"""Panels of the trade screen; they read snapshots and know nothing of the engine."""
