"""One module for each step; its revision is its number."""
