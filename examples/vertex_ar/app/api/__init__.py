"""The interface for the admin panel."""
