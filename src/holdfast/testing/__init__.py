"""Conformance suites and fakes, for this project and for people who write backends or sources."""
