"""The same presign route, written by others' means, and the folders in which all are run as a Lambda runs them."""
