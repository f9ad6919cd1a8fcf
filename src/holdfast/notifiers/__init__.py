"""Tells people what happened, by one file per kind of channel."""
