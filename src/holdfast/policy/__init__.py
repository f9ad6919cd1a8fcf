"""Pure decisions: no file, clock, environment or thread."""
