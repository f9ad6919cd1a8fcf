"""The restic repository format, versions 1 and 2: pure functions between bytes and model."""
