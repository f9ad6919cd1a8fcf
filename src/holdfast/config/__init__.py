"""The configuration `holdfast.toml`: found, read, checked, shown, and written for an application it has never seen."""
