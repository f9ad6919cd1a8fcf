"""Archives: plain dated files that standard tools open."""
