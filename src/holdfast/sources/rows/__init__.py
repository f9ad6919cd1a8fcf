"""Rows of tables: read in one consistent snapshot, written in one transaction, compared by hash.

One set of adapters serves the `tables` source and the changes that incremental backups of databases hold.
"""
