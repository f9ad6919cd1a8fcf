"""From files and streams to a snapshot."""
