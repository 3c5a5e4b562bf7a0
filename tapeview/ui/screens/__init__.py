"""Whole screens: what is on them, which keys they have, and how panels are given their snapshots."""
