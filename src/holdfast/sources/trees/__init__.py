"""Trees of files as sources: walking, comparing with a base, and putting back."""
