"""Where the tiny models stand, and which engine reads which."""

from pathlib import Path

FIXTURES = Path(__file__).parents[1] / "fixtures"
WHISPER = FIXTURES / "tiny_whisper_ct2"
PARAKEET = FIXTURES / "tiny_parakeet_onnx"
MODELS = {"faster-whisper": WHISPER, "onnx-asr": PARAKEET}
