"""Asks what is due and sees that it is run, once, under a lease."""
