"""`callscribe models` against a hub on the loopback: the client's own requests, the tiny models as content."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from callscribe.cli import app
from callscribe.cli.edge import ExitCode
from callscribe.engines import load_engine
from callscribe.engines.catalogue import CATALOGUE, Model
from callscribe.engines.fetching import CARD
from tests.cli.hub_server import COMMIT, Hub, running_hub
from tests.engines.models import PARAKEET, WHISPER

SMALL = CATALOGUE["whisper-small"]
INT8 = CATALOGUE["parakeet-tdt-0.6b-v3-onnx-int8"]
GATED = CATALOGUE["speaker-diarization-community-1"]
_COMMAND = "import time; time.sleep = lambda _s: None; from callscribe.cli import main; main()"
TOKEN = "hf_a_token_of_the_operator"


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A hub with the tiny models under the names of the real ones; the small Whisper's publisher leaves one file out."""
    with running_hub() as hub:
        left_out = {"preprocessor_config.json"}
        hub.repositories[SMALL.repository] = {
            **{path.name: path.read_bytes() for path in WHISPER.iterdir() if path.name not in left_out},
            "README.md": b"not wanted",
            "pytorch_model.bin": bytes(2_000_000),
        }
        named = {"encoder-model.onnx": "encoder-model.int8.onnx", "decoder_joint-model.onnx": INT8.needs[1]}
        hub.repositories[INT8.repository] = {
            str(named.get(path.name, path.name)): path.read_bytes() for path in PARAKEET.iterdir()
        }
        hub.repositories[GATED.repository] = {str(path): path.encode() for path in GATED.files if isinstance(path, str)}
        hub.gated[GATED.repository] = TOKEN
        yield hub


def environment(hub: Hub | str, home: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "CALLSCRIBE_"))}
    url = hub if isinstance(hub, str) else hub.url
    return {**kept, "HF_ENDPOINT": url, "HF_HOME": str(home), "NO_PROXY": "127.0.0.1", **more}


def fetch(
    hub: Hub | str, into: Path, name: str = SMALL.name, *options: str, file_bytes: int | None = None, **more: str
) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, as the hub's client reads its environment once; its retries do not wait."""

    def limit() -> None:
        if file_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))

    return subprocess.run(
        [sys.executable, "-c", _COMMAND, "models", "fetch", name, "--into", str(into), *options],
        env=environment(hub, into.parent / "home", **more),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        preexec_fn=limit,
    )


@pytest.mark.parametrize("model", [SMALL, INT8], ids=lambda model: model.engine)
def test_a_fetched_model_is_loaded_by_its_engine(hub: Hub, tmp_path: Path, model: Model) -> None:
    into = tmp_path / "models"
    done = fetch(hub, into, model.name, "--revision", COMMIT)
    assert done.returncode == ExitCode.OK, done.stderr
    folder = into / model.name
    assert f"ENGINE={model.engine} MODEL_DIR={folder}" in done.stdout
    card = json.loads((folder / CARD).read_text())
    assert (card["name"], card["repository"], card["revision"]) == (model.name, model.repository, COMMIT)
    assert card["licence"] == model.licence
    assert card["fetched_at"]
    engine = load_engine(model.engine, folder)
    assert engine.info.model.endswith(f"@sha256:{card['digest'][:16]}")
    engine.close()


def test_only_the_wanted_files_are_fetched_and_nothing_else_is_left(hub: Hub, tmp_path: Path) -> None:
    assert fetch(hub, tmp_path / "models", SMALL.name, "--revision", COMMIT).returncode == 0
    assert [path.name for path in (tmp_path / "models").iterdir()] == [SMALL.name]
    found = {path.name for path in (tmp_path / "models" / SMALL.name).iterdir()}
    assert found == {path.name for path in WHISPER.iterdir()} | {CARD}
    assert sorted(hub.downloads()) == ["config.json", "model.bin", "tokenizer.json", "vocabulary.json"]
    assert hub.tokens == {""}


def test_a_second_run_finds_everything_there_without_asking_the_hub(hub: Hub, tmp_path: Path) -> None:
    fetch(hub, tmp_path / "models", SMALL.name, "--revision", COMMIT)
    hub.asked.clear()
    done = fetch(hub, tmp_path / "models", SMALL.name, "--revision", COMMIT, "-o", "json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["fetched"], hub.asked) == (0, False, [])
    assert told["use"] == f"ENGINE=faster-whisper MODEL_DIR={tmp_path / 'models' / SMALL.name}"


def test_a_fetch_that_is_killed_leaves_no_model_and_the_next_one_completes_it(hub: Hub, tmp_path: Path) -> None:
    into, hub.pause_s = tmp_path / "models", 0.1
    running = subprocess.Popen(
        [sys.executable, "-m", "callscribe.cli", "models", "fetch", SMALL.name, f"--into={into}", "--revision", COMMIT],
        env=environment(hub, tmp_path / "home"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until = time.monotonic() + 60
    while "model.bin" not in hub.downloads() and time.monotonic() < until:
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    running.wait(30)
    assert not (into / SMALL.name).exists()
    assert list(into.glob(".whisper-small.*.part"))
    hub.pause_s = 0.0
    done = fetch(hub, into, SMALL.name, "--revision", COMMIT)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in into.iterdir()] == [SMALL.name]
    load_engine(SMALL.engine, into / SMALL.name).close()


def test_weights_without_the_checksum_that_is_known_of_them_are_not_put_in_place(hub: Hub, tmp_path: Path) -> None:
    assert SMALL.revision is not None
    hub.commit = SMALL.revision
    for _ in range(2):
        hub.asked.clear()
        done = fetch(hub, tmp_path / "models")
        assert (done.returncode, "model.bin" in hub.downloads()) == (ExitCode.REFUSED, True)
        assert "model.bin of Systran/faster-whisper-small does not have the checksum" in done.stderr
        assert not (tmp_path / "models" / SMALL.name).exists()


def test_a_commit_that_the_hub_does_not_have_is_told(hub: Hub, tmp_path: Path) -> None:
    done = fetch(hub, tmp_path / "models", SMALL.name, "--revision", "1" * 40)
    assert done.returncode == ExitCode.REFUSED
    assert f"{SMALL.repository} has no commit {'1' * 40}" in done.stderr


@pytest.mark.parametrize("name", ["main", "v1.0", COMMIT[:12]])
def test_a_revision_that_can_move_is_refused_before_anything_is_asked(hub: Hub, tmp_path: Path, name: str) -> None:
    done = fetch(hub, tmp_path / "models", SMALL.name, "--revision", name)
    assert (done.returncode, "weights are pinned" in done.stderr, hub.asked) == (ExitCode.USAGE, True, [])


def test_a_repository_that_is_not_there_is_told(hub: Hub, tmp_path: Path) -> None:
    hub.repositories.clear()
    done = fetch(hub, tmp_path / "models", SMALL.name, "--revision", COMMIT)
    assert (done.returncode, "there is no repository" in done.stderr) == (ExitCode.REFUSED, True)


def test_a_gated_model_says_what_to_accept_and_takes_the_operators_own_token(hub: Hub, tmp_path: Path) -> None:
    done = fetch(hub, tmp_path / "models", GATED.name, "--revision", COMMIT)
    assert done.returncode == ExitCode.NOT_AUTHORISED
    assert f"accept its terms at {hub.url}/{GATED.repository}, then set HF_TOKEN" in done.stderr
    done = fetch(hub, tmp_path / "models", GATED.name, "--revision", COMMIT, HF_TOKEN=TOKEN)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "models" / GATED.name / "plda" / "plda.npz").is_file()
    assert f"CALLSCRIBE_DIARIZER=pyannote CALLSCRIBE_DIARIZER_DIR={tmp_path / 'models' / GATED.name}" in done.stdout
    assert TOKEN not in done.stdout + done.stderr


def test_a_token_goes_to_no_repository_that_does_not_ask_for_one(hub: Hub, tmp_path: Path) -> None:
    assert fetch(hub, tmp_path / "models", SMALL.name, "--revision", COMMIT, HF_TOKEN=TOKEN).returncode == 0
    assert hub.tokens == {""}


def test_without_a_network_the_hub_is_unreachable(tmp_path: Path) -> None:
    done = fetch("http://127.0.0.1:9", tmp_path / "models", SMALL.name, "--revision", COMMIT)
    assert done.returncode == ExitCode.UNREACHABLE
    assert "Error: the hub at http://127.0.0.1:9 cannot be reached" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("status", "code", "told"),
    [(403, ExitCode.NOT_AUTHORISED, "set HF_TOKEN"), (500, ExitCode.UNREACHABLE, "the hub answered 500")],
)
def test_a_hub_that_refuses_or_is_broken_is_told_by_its_status(
    hub: Hub, tmp_path: Path, status: int, code: ExitCode, told: str
) -> None:
    hub.answers += [status] * 50
    done = fetch(hub, tmp_path / "models", SMALL.name, "--revision", COMMIT)
    assert (done.returncode, told in done.stderr) == (code, True), done.stderr


def test_offline_mode_is_named_as_the_reason(hub: Hub, tmp_path: Path) -> None:
    done = fetch(hub, tmp_path / "models", SMALL.name, "--revision", COMMIT, HF_HUB_OFFLINE="1")
    assert (done.returncode, "HF_HUB_OFFLINE is set" in done.stderr, hub.asked) == (ExitCode.UNREACHABLE, True, [])


def test_a_disk_that_takes_no_more_ends_with_its_own_code_and_no_model(hub: Hub, tmp_path: Path) -> None:
    into = tmp_path / "models"
    done = fetch(hub, into, SMALL.name, "--revision", COMMIT, file_bytes=600_000)
    assert done.returncode == ExitCode.NOT_WRITTEN, done.stderr
    assert "cannot be written: File too large" in done.stderr
    assert not (into / SMALL.name).exists()
    assert fetch(hub, into, SMALL.name, "--revision", COMMIT).returncode == 0


def test_a_file_that_the_engine_needs_and_the_hub_lacks_is_named(hub: Hub, tmp_path: Path) -> None:
    del hub.repositories[SMALL.repository]["tokenizer.json"]
    done = fetch(hub, tmp_path / "models", SMALL.name, "--revision", COMMIT)
    assert (done.returncode, "lacks tokenizer.json" in done.stderr) == (ExitCode.USAGE, True)
    assert not (tmp_path / "models" / SMALL.name).exists()


def test_the_list_names_every_model_with_its_commit() -> None:
    done = CliRunner().invoke(app, ["models", "list", "-o", "json"])
    listed = {entry["name"]: entry["revision"] for entry in json.loads(done.stdout)}
    assert listed == {name: model.revision for name, model in CATALOGUE.items()}
    text = CliRunner().invoke(app, ["models", "list"])
    assert all(name in text.stdout for name in CATALOGUE)
    assert "HF_TOKEN" in text.stderr


def test_the_columns_of_a_table_stand_below_one_another() -> None:
    lines = CliRunner().invoke(app, ["models", "list"]).stdout.splitlines()
    at = lines[0].index("engine")
    assert all(line[at - 1] == " " != line[at] for line in lines)


def test_an_image_needs_no_more_than_typer_rich_and_the_hubs_client(hub: Hub, tmp_path: Path) -> None:
    """The image of the workers is built with their libraries, which are not those of an operator's machine."""
    away = (
        "httpx",
        "rich",
        "boto3",
        "botocore",
        "aws_lambda_powertools",
        "numpy",
        "simpy",
        "faster_whisper",
    )
    code = f"import sys; sys.modules.update(dict.fromkeys({away}))\n{_COMMAND}"
    for revision, expected in ((COMMIT, ExitCode.OK), ("main", ExitCode.USAGE)):
        done = subprocess.run(
            [sys.executable, "-c", code, "models", "fetch", SMALL.name, f"--into={tmp_path}", "--revision", revision],
            env=environment(hub, tmp_path / "home"),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == expected, done.stderr
