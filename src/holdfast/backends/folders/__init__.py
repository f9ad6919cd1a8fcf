"""Folders: storage for the plain files of archives."""
