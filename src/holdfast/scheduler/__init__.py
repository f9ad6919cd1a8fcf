"""Runs what policies say when they say it: once, even after a sleep or a crash, and never in silence."""
