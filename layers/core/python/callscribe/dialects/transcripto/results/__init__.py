"""Area `results`."""
