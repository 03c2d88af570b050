"""The engines' packages are the worker's alone: they are large, and some of them can reach a network."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.functions.stage import ROOT

PACKAGE = ROOT / "layers" / "core" / "python" / "callscribe"
OWNERS = {
    "ctranslate2": {"engines/faster_whisper.py"},
    "faster_whisper": {"engines/faster_whisper.py"},
    "onnx_asr": {"engines/onnx_asr.py"},
    "torch": {
        "engines/transformers.py",
        "engines/greedy.py",
        "engines/log_mel.py",
        "engines/pyannote_speakers.py",
        "engines/pyannote_files.py",
    },
    "transformers": {"engines/transformers.py", "engines/log_mel.py"},
    "pyannote": {"engines/pyannote_files.py"},
}
HEAVY = {*OWNERS, "huggingface_hub", "tokenizers", "onnxruntime", "pocketsphinx"}


def sources() -> list[Path]:
    return [*PACKAGE.rglob("*.py"), *(ROOT / "functions").rglob("*.py"), *(ROOT / "infra").rglob("*.py")]


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(str(node.module).partition(".")[0])
    return found


def test_each_package_is_imported_by_its_engine_and_by_nothing_else() -> None:
    found = {name: {path for path in sources() if name in imported(path)} for name in OWNERS}
    assert found == {name: {PACKAGE / owner for owner in owners} for name, owners in OWNERS.items()}


@pytest.mark.parametrize("layer", ["core", "media", "documents"])
def test_no_layer_brings_an_engines_package(layer: str) -> None:
    lines = (ROOT / "layers" / layer / "requirements.txt").read_text().splitlines()
    pinned = {found[1].lower().replace("-", "_") for line in lines if (found := re.match(r"([A-Za-z0-9._-]+)==", line))}
    assert pinned
    assert not pinned & HEAVY


@pytest.mark.parametrize(
    "modules",
    [
        "callscribe.wiring, callscribe.engines",
        "callscribe.engines.pipeline, callscribe.media.speech",
        "callscribe.cli, callscribe.client",
        "functions.transcribe_worker.worker",
        "callscribe.engines.base, callscribe.engines.guards, callscribe.engines.languages, callscribe.engines.pieces",
    ],
)
def test_nothing_loads_an_engines_package_before_the_engine_is_asked_for(modules: str) -> None:
    assert not HEAVY & loaded_by(f"import {modules}")


@pytest.mark.parametrize(("engine", "others"), [("faster_whisper", {"onnx_asr"}), ("onnx_asr", {"ctranslate2"})])
def test_one_engine_does_not_load_anothers_package(engine: str, others: set[str]) -> None:
    loaded = loaded_by(f"import callscribe.engines.{engine}")
    assert engine in loaded
    assert not loaded & (others | {"torch"})


def loaded_by(statement: str) -> set[str]:
    code = (
        f"{statement}\nimport json, sys\nprint(json.dumps(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))
