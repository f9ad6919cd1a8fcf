"""Deleting what no snapshot refers to: deciding (pure), copying what is still needed, deleting in a safe order."""
