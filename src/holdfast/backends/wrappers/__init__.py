"""Behaviour added around any backend."""
