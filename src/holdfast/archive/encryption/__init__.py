"""Encryption that standard tools open."""
