"""An open restic-format repository and what can be done with it."""
