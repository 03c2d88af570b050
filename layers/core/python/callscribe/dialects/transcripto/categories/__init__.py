"""Area `categories`."""
