"""The two kinds of place that keep backups."""
