"""Venue parsers, one file each."""
