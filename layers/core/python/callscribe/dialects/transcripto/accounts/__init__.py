"""Area `accounts` (T-10, T-11): log-in, and the tariff."""
