"""Audio files: sniffing, inspecting, decoding and finding speech, safe against hostile bytes."""
