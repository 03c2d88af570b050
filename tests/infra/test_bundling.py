"""Layers are built without Docker, complete, compiled, within Lambda's limit, and only when something changed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from aws_cdk import App, Stack
from aws_cdk.aws_lambda import LayerVersion

from infra import bundling
from infra.bundling import ROOT, BundlingFailed, LayerSource, build_layer, find_interpreter, layer_code
from infra.functions import CORE, DOCUMENTS, MEDIA

HIGHEST_UNZIPPED_BYTES = 250 * 1024**2
UNCHECKED_HASH = (1).to_bytes(4, "little")  # PEP 552: bytes 4 to 8 of a .pyc
THIS_MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture
def package(tmp_path: Path) -> LayerSource:
    """A small layer: a package of ours and an empty lock."""
    folder = tmp_path / "source" / "little"
    (folder / "tests").mkdir(parents=True)
    for name in ("__init__.py", "kept.py", "cli.py", "tests/test_kept.py"):
        (folder / name).write_text(f"NAME = {name!r}\n")
    lock = tmp_path / "source" / "requirements.txt"
    lock.write_text("")
    return LayerSource(lock=lock, package=folder, left_out=frozenset({"cli.py"}))


def files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_the_core_layer_for_this_machine_imports_on_its_own(tmp_path: Path) -> None:
    build_layer(CORE, tmp_path, local=True, interpreter=sys.executable)
    script = f"import sys; sys.path.insert(0, {str(tmp_path / 'python')!r}); import callscribe.names, httpcore, jwt"
    script += "; import pydantic, rfc8785, aws_lambda_powertools.event_handler; print(pydantic.__file__)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.startswith(str(tmp_path)), done.stderr


def test_the_documents_layer_writes_a_document_with_nothing_but_itself(tmp_path: Path) -> None:
    build_layer(DOCUMENTS, tmp_path, local=True, interpreter=None)
    script = f"import sys; sys.path.insert(0, {str(tmp_path / 'python')!r}); import docx; print(docx.__file__)"
    script += f"; docx.Document().save({str(tmp_path / 'empty.docx')!r})"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.startswith(str(tmp_path)), done.stderr
    assert (tmp_path / "empty.docx").read_bytes().startswith(b"PK")


def test_the_layers_for_lambda_hold_arm_wheels_of_its_python_and_fit_together(tmp_path: Path) -> None:
    """All of them: dialect `transcripto` has them all."""
    for layer in (CORE, MEDIA, DOCUMENTS):
        build_layer(layer, tmp_path, local=False, interpreter=None)
    extensions = [path.name for path in tmp_path.rglob("*.cpython-*.so")]
    assert extensions
    assert all("cpython-313-aarch64" in name for name in extensions)
    compiled = 1.2  # what .pyc files add at most, measured
    assert compiled * sum(path.stat().st_size for path in tmp_path.rglob("*")) < HIGHEST_UNZIPPED_BYTES


def test_the_core_layer_leaves_out_what_only_the_worker_and_people_run() -> None:
    names = {name for name, _ in CORE.files()}
    assert {"callscribe/names.py", "callscribe/wiring.py", "callscribe/domain/jobs.py"} <= names
    assert not [n for n in names if n.startswith(("callscribe/engines/", "callscribe/cli/", "callscribe/client.py"))]
    assert not [name for name in names if "__pycache__" in name or "/tests/" in name]


def test_every_dependency_of_the_package_is_in_the_core_lock_but_boto3() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {requirement.lower().split(">")[0] for requirement in project["dependencies"]} - {"boto3"}
    locked = {line.split("==")[0] for line in CORE.lock.read_text().splitlines() if "==" in line}
    assert wanted <= locked


def test_modules_are_compiled_so_that_lambda_never_checks_or_recompiles_them(
    package: LayerSource, tmp_path: Path
) -> None:
    build_layer(package, tmp_path / "out", local=True, interpreter=sys.executable)
    tag = f"cpython-{THIS_MINOR.replace('.', '')}"
    assert files_below(tmp_path / "out/python/little") == {
        "__init__.py",
        "kept.py",
        f"__pycache__/__init__.{tag}.pyc",
        f"__pycache__/kept.{tag}.pyc",
    }
    for compiled in (tmp_path / "out").rglob("*.pyc"):
        assert compiled.read_bytes()[4:8] == UNCHECKED_HASH


def test_without_an_interpreter_of_that_minor_version_nothing_is_compiled(package: LayerSource, tmp_path: Path) -> None:
    build_layer(package, tmp_path / "out", local=True, interpreter=None)
    assert files_below(tmp_path / "out/python/little") == {"__init__.py", "kept.py"}


def test_an_interpreter_is_found_by_its_version_and_none_for_one_that_nobody_has() -> None:
    assert find_interpreter(THIS_MINOR) == sys.executable
    assert find_interpreter("3.99") is None


def test_a_lock_that_cannot_be_installed_ends_the_synthesis_and_never_asks_for_docker(
    package: LayerSource, tmp_path: Path
) -> None:
    package.lock.write_text("this is no requirement\n")
    with pytest.raises(BundlingFailed, match="uv pip install"):
        build_layer(package, tmp_path / "out", local=True, interpreter=None)
    with pytest.raises(RuntimeError, match="uv pip install") as failed:
        synthesise(package, tmp_path / "assembly")
    assert "docker" not in str(failed.value).lower()


def test_a_second_synthesis_builds_nothing_and_a_changed_source_builds_again(
    package: LayerSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[LayerSource] = []

    def count(source: LayerSource, target: Path, **options: object) -> None:
        built.append(source)
        (target / "something").write_text("built")

    monkeypatch.setattr(bundling, "build_layer", count)
    first = synthesise(package, tmp_path / "assembly")
    assert synthesise(package, tmp_path / "assembly") == first
    assert len(built) == 1
    assert package.package is not None
    (package.package / "__pycache__").mkdir()
    (package.package / "__pycache__" / "kept.pyc").write_bytes(b"noise")
    (package.package / "cli.py").write_text("CHANGED = True\n")
    assert synthesise(package, tmp_path / "assembly") == first
    (package.package / "kept.py").write_text("CHANGED = True\n")
    second = synthesise(package, tmp_path / "assembly")
    package.lock.write_text("# bumped\n")
    third = synthesise(package, tmp_path / "assembly")
    assert len({first, second, third}) == len(built) == 3


def synthesise(source: LayerSource, folder: Path) -> str:
    """The layer's asset hash."""
    app = App(outdir=str(folder))
    LayerVersion(Stack(app, "S"), "Layer", code=layer_code(source, local=True))
    app.synth()
    files: dict[str, dict[str, dict[str, str]]] = json.loads((folder / "S.assets.json").read_text())["files"]
    (asset,) = (name for name, entry in files.items() if entry["source"]["packaging"] == "zip")
    return asset
