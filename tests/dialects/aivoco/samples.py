"""The document's own samples as they stand, what replaces in them what a document cannot know, and how to run them.

Any running system can be asked with them: `run("curl", Substitution(base_url=…, …))`.
"""

import base64
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

CURL = """curl -X POST https://call.aivoco.on.cloud.vispark.in/transcribe   -H "Content-Type: application/json"   -d '{
    "api_key": "your_api_key_here",
    "audio_url": "https://example.com/recording.wav"
  }'"""

PYTHON = """import requests

url = "https://call.aivoco.on.cloud.vispark.in/transcribe"
payload = {"api_key": "your_api_key_here", "call_id": "123"}

response = requests.post(url, json=payload)
data = response.json()

if response.status_code == 200:
    print(f"Transcription:\\n{data['transcription']}")
    print(f"Credits used: {data['user_credits_deducted']}")
else:
    print(f"Error: {data['error']}")
"""

JAVASCRIPT = """const url = 'https://call.aivoco.on.cloud.vispark.in/transcribe';
const payload = {
  api_key: 'your_api_key_here',
  audio_data: 'UklGRiQAAABXQVZFZm10...',
  mime_type: 'audio/wav'
};

fetch(url, {
  method: 'POST',
  headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify(payload)
})
.then(res => res.json())
.then(data => {
  if (data.transcription) console.log('Transcription:', data.transcription);
  else console.error('Error:', data.error);
})
.catch(err => console.error('Request failed:', err));
"""

BASE_REQUEST = """{
  "api_key": "your_api_key_here",
  "audio_data": "UklGRiQAAABXQVZFZm10IBAAAAABAAEA...",
  "mime_type": "audio/wav"
}"""

URL_REQUEST = """{
  "api_key": "your_api_key_here",
  "audio_url": "https://example.com/audio/recording.wav"
}"""

LOG_REQUEST = """{
  "api_key": "your_api_key_here",
  "call_id": "123"
}"""

ANSWER = """{
  "transcription": "AI: Hello, this is an AI assistant...\\nUser: Hi, yes I can hear you.\\n...",
  "user_credits_deducted": 0.0,
  "timestamp": "2025-10-28T12:34:56.789012"
}"""

CONVERSATION = """AI: Hello, this is an AI assistant calling about your recent inquiry.
User: Hi, yes I can hear you.
AI: Great! I'm calling to discuss your application. Do you have a few minutes?
User: Yes, sure. Go ahead.
AI: Wonderful. I wanted to confirm your contact information first.
User: [unclear] what was that?
AI: I said I need to confirm your contact information. Can you verify your email address?
User: Oh yes, it's john@example.com"""


@dataclass(frozen=True)
class Substitution:
    """What replaces the samples' host, key, id, URL and audio. `audio` is a WAV file's bytes."""

    base_url: str
    api_key: str
    call_id: str
    audio_url: str
    audio: bytes

    def table(self) -> Mapping[str, str]:
        """What stands in a sample → what takes its place; the longer ones first."""
        in_base64 = base64.b64encode(self.audio).decode()
        return {
            "https://call.aivoco.on.cloud.vispark.in": self.base_url,
            "your_api_key_here": self.api_key,
            '"123"': f'"{self.call_id}"',
            "https://example.com/audio/recording.wav": self.audio_url,
            "https://example.com/recording.wav": self.audio_url,
            "UklGRiQAAABXQVZFZm10IBAAAAABAAEA...": in_base64,
            "UklGRiQAAABXQVZFZm10...": in_base64,
        }

    def __call__(self, sample: str) -> str:
        """The sample, ready to be run."""
        for placeholder, value in self.table().items():
            sample = sample.replace(placeholder, value)
        return sample


def _curl(script: str, folder: Path) -> list[str]:
    return ["bash", "-c", f"{script} --silent --show-error"]


def _python(script: str, folder: Path) -> list[str]:
    return [sys.executable, _written(folder / "sample.py", script)]


def _javascript(script: str, folder: Path) -> list[str]:
    return ["node", _written(folder / "sample.mjs", script)]


SAMPLES: Mapping[str, tuple[str, Callable[[str, Path], list[str]]]] = {
    "curl": (CURL, _curl),
    "python": (PYTHON, _python),
    "javascript": (JAVASCRIPT, _javascript),
}


def run(name: str, substitution: Substitution, folder: Path, *, timeout_s: float = 60) -> str:
    """What a sample prints, both on standard output and on standard error. `folder` takes its script."""
    sample, command = SAMPLES[name]
    direct = {**os.environ, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    arguments = command(substitution(sample), folder)
    done = subprocess.run(arguments, capture_output=True, text=True, check=True, timeout=timeout_s, env=direct)
    return done.stdout + done.stderr


def _written(path: Path, script: str) -> str:
    path.write_text(script)
    return str(path)
