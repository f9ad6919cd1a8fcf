"""Holdfast: backups for applications, proven restorable."""

__version__ = "0.1.0"
