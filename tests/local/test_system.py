"""The small parts of local/system.py and local/synthesis.py; the whole is what tests/e2e stands on."""

import json
import os
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from callscribe.adapters.memory import memory_deps
from callscribe.domain.records import update
from callscribe.services import accounts, tariffs, users
from local import synthesis
from local.credentials import credentials, write_private
from local.deploy import ZIPPED
from local.synthesis import SynthesisError, synthesise

# An app that writes down what it was told.
APP = """
import json, os, pathlib
out = pathlib.Path(os.environ["CDK_OUTDIR"])
(out / "runs").write_text((out / "runs").read_text() + "x" if (out / "runs").exists() else "x")
(out / "told.json").write_text(json.dumps(dict(os.environ)))
"""


def test_a_private_file_can_be_read_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "local.json"
    before = os.umask(0)
    try:
        write_private(path, {"api_key": "cs_live_x"})
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text()) == {"api_key": "cs_live_x"}


def test_a_private_file_that_was_open_to_all_is_replaced_by_one_that_is_not(tmp_path: Path) -> None:
    path = tmp_path / "local.json"
    path.write_text("{}")
    path.chmod(0o644)
    write_private(path, {"a": 1})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_nobody_ever_reads_half_a_private_file_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "local.json"
    documents = [{"value": letter * 200_000} for letter in "ab"]
    write_private(path, documents[0])
    seen: list[dict[str, str]] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.append(json.loads(path.read_text()))

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(30):
        write_private(path, documents[number % 2])
    done.set()
    reader.join()
    assert seen
    assert [one for one in seen if one not in documents] == []
    assert [one.name for one in tmp_path.iterdir()] == ["local.json"]


def test_the_kept_tenant_is_found_again(tmp_path: Path) -> None:
    deps = memory_deps()
    made = credentials(deps, tmp_path)
    assert credentials(deps, tmp_path) == made
    assert stat.S_IMODE((tmp_path / "credentials.json").stat().st_mode) == 0o600
    principal = accounts.authenticate(deps, key_id=made.app_id, secret=made.api_key)
    assert principal.tenant_id == made.tenant_id


def test_a_tenant_that_a_killed_cloud_has_lost_is_made_anew_and_kept(tmp_path: Path) -> None:
    lost = credentials(memory_deps(), tmp_path)
    later = memory_deps(random_bytes=os.urandom)
    made = credentials(later, tmp_path)
    assert made.tenant_id != lost.tenant_id
    assert credentials(later, tmp_path) == made


def test_a_newcomer_can_log_in_where_tasks_are_made_and_has_a_tariff() -> None:
    deps = memory_deps()
    made = credentials(deps, None)
    assert made.log_in.keys() == {"email", "password_hash", "captcha_token"}
    user = users.authenticate_by_hash(
        deps, username=made.log_in["email"], client_hash=made.log_in["password_hash"], address="127.0.0.1"
    )
    assert (user.tenant_id, user.number) == (made.tenant_id, 1)
    assert tariffs.active(deps, made.tenant_id).identifier == "enterprise"


def test_a_state_of_an_older_version_gets_what_tasks_need_and_is_left_alone_then(tmp_path: Path) -> None:
    deps = memory_deps()
    made = credentials(deps, tmp_path)
    (user,) = users.list_users(deps, made.tenant_id)
    tenant = accounts.get_tenant(deps, made.tenant_id)
    deps.store.commit(update(user, sha512_hash=None, sha256_hash=None), update(tenant, subscription=None))
    assert credentials(deps, tmp_path) == made
    assert tariffs.active(deps, made.tenant_id).identifier == "enterprise"
    assert users.authenticate_by_hash(
        deps, username=made.username, client_hash=made.log_in["password_hash"], address="127.0.0.1"
    )
    before = accounts.get_tenant(deps, made.tenant_id), users.list_users(deps, made.tenant_id)
    assert credentials(deps, tmp_path) == made
    assert (accounts.get_tenant(deps, made.tenant_id), users.list_users(deps, made.tenant_id)) == before


def test_without_a_state_folder_every_tenant_is_a_new_one() -> None:
    deps = memory_deps()
    assert credentials(deps, None) != credentials(deps, None)


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with an app that synthesises in no time; its root."""
    root = tmp_path / "repository"
    (root / "infra").mkdir(parents=True)
    (root / "infra" / "stack.py").write_text("SIZE = 1\n")
    (root / "cdk.json").write_text('{"context": {"from_file": true, "stage": "dev"}}')
    (root / "app.py").write_text(APP)
    monkeypatch.setattr(synthesis, "ROOT", root)
    return root


def runs(assembly: Path) -> int:
    return len((assembly / "runs").read_text())


def test_the_app_is_told_its_settings_on_top_of_those_in_cdk_json(
    app: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "real-account")
    assembly = synthesise({"stage": "local"}, tmp_path / "cache")
    told = json.loads((assembly / "told.json").read_text())
    assert json.loads(told["CDK_CONTEXT_JSON"]) == {"from_file": True, "stage": "local", "target": "local"}
    assert "AWS_PROFILE" not in told


def test_nothing_is_synthesised_again_until_a_source_changes(app: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assembly = synthesise({}, cache)
    assert synthesise({}, cache) == assembly
    assert runs(assembly) == 1
    (app / "infra" / "stack.py").write_text("SIZE = 2\n")
    assert synthesise({}, cache) == assembly
    assert runs(assembly) == 2


@pytest.mark.parametrize("change", ["new file", "renamed file", "removed file", "cdk.json", "app.py"])
def test_any_change_to_what_the_assembly_is_made_from_is_noticed(app: Path, tmp_path: Path, change: str) -> None:
    assembly = synthesise({}, tmp_path / "cache")
    stack = app / "infra" / "stack.py"
    changes: dict[str, Callable[[], object]] = {
        "new file": lambda: (app / "infra" / "other.py").write_text(""),
        "renamed file": lambda: stack.rename(app / "infra" / "renamed.py"),
        "removed file": stack.unlink,
        "cdk.json": lambda: (app / "cdk.json").write_text("{}"),
        "app.py": lambda: (app / "app.py").write_text(APP + "# changed\n"),
    }
    changes[change]()
    synthesise({}, tmp_path / "cache")
    assert runs(assembly) == 2


def test_compiled_files_and_other_folders_are_no_sources(app: Path, tmp_path: Path) -> None:
    assembly = synthesise({}, tmp_path / "cache")
    for path in (app / "infra" / "__pycache__" / "stack.pyc", app / "docs" / "page.md"):
        path.parent.mkdir()
        path.write_text("new")
    synthesise({}, tmp_path / "cache")
    assert runs(assembly) == 1


def test_assets_that_no_manifest_names_are_removed_once_a_day_has_passed(app: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assembly = synthesise({}, cache)
    (assembly / "Stack.assets.json").write_text(json.dumps({"files": {"aa": {}}}))
    (assembly / ZIPPED).mkdir()
    for digest in ("aa", "bb", "cc"):
        (assembly / f"asset.{digest}").mkdir()
        (assembly / f"asset.{digest}" / "code.py").write_text("")
        (assembly / f"asset.{digest}.txt").write_text("")
        (assembly / ZIPPED / f"{digest}.zip").write_text("")
    two_days_ago_s = time.time() - 2 * 86_400
    for path in [path for path in assembly.rglob("*") if "cc" not in path.name]:
        os.utime(path, (two_days_ago_s, two_days_ago_s))
    (app / "infra" / "stack.py").write_text("SIZE = 2\n")
    synthesise({}, cache)
    left = {path.relative_to(assembly).as_posix() for path in assembly.rglob("*") if path.suffix != ".py"}
    assert {name for name in left if "bb" in name} == set()
    for digest in ("aa", "cc"):
        assert {f"asset.{digest}", f"asset.{digest}.txt", f"{ZIPPED}/{digest}.zip"} < left
    assert (assembly / "asset.aa").stat().st_mtime > two_days_ago_s + 86_400, "its day begins anew"


def test_assets_of_a_template_that_is_found_unchanged_are_kept_for_another_day(app: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assembly = synthesise({}, cache)
    (assembly / "Stack.assets.json").write_text(json.dumps({"files": {"aa": {}}}))
    asset = assembly / "asset.aa"
    asset.mkdir()
    os.utime(asset, (0, 0))
    assert synthesise({}, cache) == assembly
    assert runs(assembly) == 1
    (assembly / "Stack.assets.json").write_text(json.dumps({"files": {"bb": {}}}))
    (app / "infra" / "stack.py").write_text("SIZE = 2\n")
    synthesise({}, cache)
    assert asset.exists(), "somebody may still deploy it"


def test_other_settings_have_an_assembly_of_their_own(app: Path, tmp_path: Path) -> None:
    assemblies = {synthesise({"stage": stage}, tmp_path / "cache") for stage in ("local", "other")}
    assert len(assemblies) == 2
    assert [runs(assembly) for assembly in assemblies] == [1, 1]


def test_an_app_that_fails_says_why_and_is_tried_again(app: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assembly = synthesise({}, cache)
    (app / "app.py").write_text("import sys; sys.exit('stage: must be lower case')")
    for _ in range(2):
        with pytest.raises(SynthesisError, match="does not synthesise:\nstage: must be lower case"):
            synthesise({}, cache)
    (app / "app.py").write_text(APP)
    assert synthesise({}, cache) == assembly
    assert runs(assembly) == 2


def test_a_machine_without_node_is_told_what_is_missing(
    app: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SynthesisError, match=r"Node\.js is missing"):
        synthesise({}, tmp_path / "cache")
