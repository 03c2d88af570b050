"""The ports made real. Families never import one another."""
