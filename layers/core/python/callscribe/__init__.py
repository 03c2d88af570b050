"""callscribe: call transcription as a serverless system in its operator's own account."""
