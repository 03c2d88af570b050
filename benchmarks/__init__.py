"""Figures about callscribe, each printed by one command: `make bench NAME=…`, `make accuracy`."""
