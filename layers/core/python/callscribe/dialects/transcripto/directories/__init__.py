"""Area `directories`."""
