"""Checking a repository: everything that can be wrong with it, found and named."""
