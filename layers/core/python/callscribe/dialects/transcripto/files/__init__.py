"""Area `files`."""
