"""One file per use case: from a request to a report."""
