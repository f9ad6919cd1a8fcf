"""What happened and what is planned: runs, leases, settings, tokens, the audit log, deliveries. Rebuildable from the targets."""
