"""Vertex AR: living portraits. A photograph on paper plays its video when a phone looks at it."""
