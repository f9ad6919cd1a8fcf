"""What can be dumped and loaded: one file per kind."""
