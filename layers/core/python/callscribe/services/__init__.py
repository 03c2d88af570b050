"""Use cases, named by verbs. Dependencies come first, in one frozen object."""
