"""The command line: parse, call, print, map to an exit status."""
