"""Area `tasks`."""
