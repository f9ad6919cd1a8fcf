"""Whole runs beside restic, as ratios."""
