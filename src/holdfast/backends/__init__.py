"""One file per object store; a backend knows names and bytes."""
