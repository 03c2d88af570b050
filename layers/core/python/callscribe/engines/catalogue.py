"""The models that `callscribe models fetch` knows: where their files are published, pinned to one commit.

A commit on the hub names the files' checksums but the hub's client does not compare them, so the checksum of the
weights stands here too where it is known. `seen` says where revision and checksum were read, and when.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from callscribe.errors import Invalid

COMMIT = re.compile(r"[0-9a-f]{40}")
Needs = tuple[str | tuple[str, ...], ...]  # names of files; of a tuple one is enough


@dataclass(frozen=True, slots=True)
class Model:
    """One model. `files` are patterns of what is fetched, `needs` what must be there afterwards, as the engine says.

    `made`: files by name and content that the publisher leaves to the library's defaults and our engine wants to see.
    `sha256`: of files by name, at `revision`. `gated`: the publisher wants to know who fetches it.
    """

    name: str
    engine: str
    repository: str
    revision: str | None
    needs: Needs
    files: tuple[str, ...]
    licence: str
    size_bytes: int
    languages: str
    seen: str
    gated: bool = False
    made: Mapping[str, str] = field(default_factory=dict)
    sha256: Mapping[str, str] = field(default_factory=dict)


# What each engine looks for in a model's directory: the same as in its own module, which is too heavy to import here.
_WHISPER: Needs = (
    "model.bin",
    "config.json",
    "tokenizer.json",
    "preprocessor_config.json",
    ("vocabulary.json", "vocabulary.txt"),
)
_WHISPER_FILES = ("model.bin", "config.json", "tokenizer.json", "preprocessor_config.json", "vocabulary.*")
# The feature extractor of all Whispers before large-v3: faster-whisper's defaults, written out.
_80_MELS = (
    '{"chunk_length": 30, "feature_extractor_type": "WhisperFeatureExtractor", "feature_size": 80,'
    ' "hop_length": 160, "n_fft": 400, "sampling_rate": 16000}\n'
)
_ONNX = ("encoder-model.onnx", "encoder-model.onnx.data", "decoder_joint-model.onnx", "vocab.txt", "config.json")
_ONNX_INT8 = ("encoder-model.int8.onnx", "decoder_joint-model.int8.onnx", "vocab.txt", "config.json")
_PYANNOTE = (
    "config.yaml",
    "segmentation/pytorch_model.bin",
    "embedding/pytorch_model.bin",
    "plda/plda.npz",
    "plda/xvec_transform.npz",
)
_PARAKEET_ONNX = "istupakov/parakeet-tdt-0.6b-v3-onnx"
_PARAKEET_ONNX_REVISION = "8f23f0c03c8761650bdb5b40aaf3e40d2c15f1ce"
_EUROPEAN = "25 European"

_MODELS = (
    Model(
        name="whisper-large-v3-turbo",
        engine="faster-whisper",
        repository="dropbox-dash/faster-whisper-large-v3-turbo",  # mobiuslabsgmbh's, renamed
        revision="0a363e9161cbc7ed1431c9597a8ceaf0c4f78fcf",
        needs=_WHISPER,
        files=_WHISPER_FILES,
        licence="MIT",
        size_bytes=1_621_000_000,
        languages="99, English best",
        seen="public code that pins both names of the repository, 8 projects, and faster-whisper's own table (2026-11)",
        sha256={"model.bin": "e76620f83d5f5b69efd3d87e3dc180c1bd21df9fbebacfd4335e5e1efcc018da"},
    ),
    Model(
        name="whisper-large-v3",
        engine="faster-whisper",
        repository="Systran/faster-whisper-large-v3",
        revision="edaa852ec7e145841d8ffdb056a99866b5f0a478",
        needs=_WHISPER,
        files=_WHISPER_FILES,
        licence="MIT",
        size_bytes=3_091_000_000,
        languages="99",
        seen="public code that pins it, 10 projects (2026-11)",
        sha256={"model.bin": "69f74147e3334731bc3a76048724833325d2ec74642fb52620eda87352e3d4f1"},
    ),
    Model(
        name="whisper-small",
        engine="faster-whisper",
        repository="Systran/faster-whisper-small",
        revision="536b0662742c02347bc0e980a01041f333bce120",
        needs=_WHISPER,
        files=_WHISPER_FILES,
        licence="MIT",
        size_bytes=487_000_000,
        languages="99",
        seen="public code that pins it, 10 projects (2026-11)",
        made={"preprocessor_config.json": _80_MELS},
        sha256={"model.bin": "3e305921506d8872816023e4c273e75d2419fb89b24da97b4fe7bce14170d671"},
    ),
    Model(
        name="parakeet-tdt-0.6b-v3-onnx",
        engine="onnx-asr",
        repository=_PARAKEET_ONNX,
        revision=_PARAKEET_ONNX_REVISION,
        needs=_ONNX,
        files=_ONNX,
        licence="CC-BY-4.0",
        size_bytes=2_560_000_000,
        languages=_EUROPEAN,
        seen="public code that pins it, 10 projects (2026-11)",
    ),
    Model(
        name="parakeet-tdt-0.6b-v3-onnx-int8",
        engine="onnx-asr",
        repository=_PARAKEET_ONNX,
        revision=_PARAKEET_ONNX_REVISION,
        needs=_ONNX_INT8,
        files=_ONNX_INT8,
        licence="CC-BY-4.0",
        size_bytes=671_000_000,
        languages=_EUROPEAN,
        seen="public code that pins it, 10 projects (2026-11)",
        sha256={"encoder-model.int8.onnx": "6139d2fa7e1b086097b277c7149725edbab89cc7c7ae64b23c741be4055aff09"},
    ),
    Model(
        name="parakeet-tdt-0.6b-v3",
        engine="transformers",
        repository="nvidia/parakeet-tdt-0.6b-v3",
        revision="541d1f99c6b0c3cd0b11a95167540bb8edefd82b",
        needs=(
            "config.json",
            "model.safetensors",
            ("processor_config.json", "preprocessor_config.json"),
            "tokenizer.json",
        ),
        files=("*.json", "model.safetensors", "README.md"),  # the engine reads its languages in the last
        licence="CC-BY-4.0",
        size_bytes=2_520_000_000,
        languages=_EUROPEAN,
        seen="public code that pins it, 10 projects; the list of its files was not seen (2026-11)",
    ),
    Model(
        name="speaker-diarization-community-1",
        engine="pyannote",
        repository="pyannote/speaker-diarization-community-1",
        revision="3533c8cf8e369892e6b79ff1bf80f7b0286a54ee",
        needs=_PYANNOTE,
        files=_PYANNOTE,
        licence="CC-BY-4.0",
        size_bytes=35_000_000,
        languages="any: it tells speakers apart",
        seen="public code that pins it, 8 projects; its size is a guess (2026-11)",
        gated=True,
    ),
)
CATALOGUE: Final[Mapping[str, Model]] = {model.name: model for model in _MODELS}


def find_model(name: str) -> Model:
    """The model of that name. Raises Invalid with all names."""
    if name not in CATALOGUE:
        raise Invalid("model", f"is one of: {', '.join(CATALOGUE)}")
    return CATALOGUE[name]


def pinned_revision(model: Model, given: str | None) -> str:
    """The commit to fetch: the one that was given, else the catalogue's.

    Raises Invalid for a name that may mean other files tomorrow (a branch, a tag, a short hash), and where no commit
    is known.
    """
    if given is None and model.revision is None:
        rule = f"no commit of {model.repository} is known here: give --revision with the 40 hex digits of one"
        raise Invalid("revision", rule)
    revision = given or model.revision or ""
    if not COMMIT.fullmatch(revision):
        rule = f"{revision!r} is no commit of 40 hex digits; weights are pinned, and a branch or tag can move"
        raise Invalid("revision", rule)
    return revision
