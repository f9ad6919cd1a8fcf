"""Restoring a snapshot: what to write, how to write it safely, and the proof that it is right."""
