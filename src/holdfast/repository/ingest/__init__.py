"""Making a snapshot out of what is pushed in, entry by entry, instead of out of a file system that is walked.

`session.Ingest` is one snapshot on its way; `tree.TreeIngest` is one folder in its root, filled depth-first;
`unchanged.UnchangedEntries` tells which files need not be read.
"""
