"""How an archive names its files."""
