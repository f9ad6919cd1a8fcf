"""An open folder of plain dated files."""
