"""Area `checklists`."""
