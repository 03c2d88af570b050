"""Area `filters`."""
