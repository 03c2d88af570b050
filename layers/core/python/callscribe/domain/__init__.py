"""The domain: pure values and rules. No AWS, no HTTP, no framework, no clock of its own."""
