"""Mending what is damaged: the index, packs, snapshots. What is new is stored before anything old is deleted."""
