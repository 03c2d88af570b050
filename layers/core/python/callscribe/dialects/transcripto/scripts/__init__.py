"""Area `scripts`."""
