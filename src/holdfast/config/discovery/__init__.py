"""Looks at an application nobody described yet, without running any of it."""
