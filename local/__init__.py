"""The laptop cloud: the emulator process, its patches, the deployer, the HTTP front and the webhook receiver."""
