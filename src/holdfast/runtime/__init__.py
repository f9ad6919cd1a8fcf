"""The outside world behind small objects that tests replace."""
