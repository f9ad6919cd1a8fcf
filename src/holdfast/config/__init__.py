"""The only package that reads the operator's files and environment."""
