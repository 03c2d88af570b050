"""The cold and warm benchmarks: that every case does the work it is said to do, and that a missing peer is no success."""

import json
import math
import os
import subprocess
from pathlib import Path

import pytest

from benchmarks import cold, interleaved, warm
from benchmarks.interleaved import Case, Sample
from benchmarks.peers import trees
from benchmarks.peers.scenes import Scenes, environment
from benchmarks.peers.trees import Peer, PeerMissing, Trees, closure
from callscribe import names


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("trees")


@pytest.fixture(scope="module")
def built(folder: Path) -> Trees:
    return Trees(folder)


@pytest.fixture(scope="module")
def scenes(folder: Path) -> Scenes:
    return Scenes(folder)


@pytest.fixture(scope="module")
def bare(built: Trees, scenes: Scenes) -> Case:
    return built.case("bare", trees.BARE, scenes.presign(peer=True), environment())


def run(case: Case) -> "subprocess.CompletedProcess[str]":
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.run(case.command, env={**kept, **case.environment}, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "peer", [trees.FASTAPI, trees.POWERTOOLS, trees.FLASK, trees.BARE], ids=lambda one: one.source.stem
)
def test_every_peer_reads_one_item_and_writes_one_without_a_network(peer: Peer, built: Trees, scenes: Scenes) -> None:
    done = run(built.case("peer", peer, scenes.presign(peer=True), environment()))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["asked"] == {"GetItem": 1, "PutItem": 1}


@pytest.mark.parametrize(("peer", "status"), [(trees.FASTAPI, 422), (trees.POWERTOOLS, 422), (trees.FLASK, 400)])
def test_every_peer_refuses_a_key_that_it_does_not_know_and_a_body_that_breaks_a_rule(
    peer: Peer, status: int, built: Trees, scenes: Scenes, tmp_path: Path
) -> None:
    right = json.loads(scenes.presign(peer=True).read_text())
    stranger = {**right["event"], "headers": {**right["event"]["headers"], "authorization": "Bearer somebody"}}
    wrong = {**right["event"], "body": json.dumps({"mimeType": "text/plain"})}
    for event, wanted in ((stranger, 401), (wrong, status)):
        path = tmp_path / "scene.json"
        path.write_text(json.dumps({**right, "event": event, "status": wanted, "fields": []}))
        done = run(built.case("peer", peer, path, environment()))
        assert done.returncode == 0, done.stderr


def test_our_own_layer_answers_for_every_dialect_and_nothing_comes_from_elsewhere(
    built: Trees, scenes: Scenes, folder: Path
) -> None:
    wanted = {
        "presign": scenes.presign(peer=False),
        "mor": scenes.mor(),
        "aivoco": scenes.aivoco(),
        "transcripto": scenes.transcripto(),
    }
    assert wanted.keys() == names.DIALECTS.keys()
    for dialect, scene in wanted.items():
        case = built.case(dialect, trees.OURS, scene, environment(dialect))
        done = run(case)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout.splitlines()[-1])["asked"]["TransactWriteItems"] == 1
        interleaved.require_bytecode(case)
        assert all(path.startswith(str(folder)) for path in case.environment["PYTHONPATH"].split(":"))


def test_the_landing_page_asks_nothing_of_aws(built: Trees, scenes: Scenes) -> None:
    done = run(built.case("landing", trees.LANDING, scenes.landing(), environment()))
    assert json.loads(done.stdout.splitlines()[-1])["asked"] == {}


def test_site_packages_are_out_of_reach(bare: Case) -> None:
    command = (*bare.command[:2], "-c", "import pytest")
    done = run(Case("bare", command, bare.environment))
    assert "No module named 'pytest'" in done.stderr


def test_an_answer_that_is_not_the_one_wanted_is_no_measurement(built: Trees, scenes: Scenes, tmp_path: Path) -> None:
    scene = json.loads(scenes.presign(peer=True).read_text())
    path = tmp_path / "scene.json"
    path.write_text(json.dumps({**scene, "fields": ["somethingElse"]}))
    done = run(built.case("bare", trees.BARE, path, environment()))
    assert done.returncode == 1
    assert "not the answer that was wanted" in done.stderr


def test_a_tree_without_its_bytecode_is_noticed(bare: Case, built: Trees, folder: Path) -> None:
    interleaved.require_bytecode(bare)
    (cached,) = (folder / "runtime" / "boto3" / "__pycache__").glob("session.*.pyc")
    kept = cached.read_bytes()
    cached.unlink()
    try:
        with pytest.raises(interleaved.BytecodeMissing, match=r"boto3.session\.py"):
            interleaved.require_bytecode(bare)
    finally:
        cached.write_bytes(kept)


def test_a_peer_that_is_not_installed_is_told_and_its_goal_is_missed(built: Trees, scenes: Scenes) -> None:
    peers = {"fastapi": Peer(trees.HERE / "fastapi_app.py", ("never-heard-of-it",))}
    cases, missing = cold.peer_cases(built, peers, scenes.presign(peer=True))
    assert not cases
    assert missing == ["fastapi: never-heard-of-it is not installed; install the extra `bench`"]
    ours_alone = {"presign": Sample((0.1,) * 7)}
    assert [(math.isnan(goal.value), goal.met) for goal in cold.goals(ours_alone)] == [(True, False)] * 2
    assert not any(goal.met for goal in warm.goals(ours_alone))


def test_what_the_runtime_has_is_copied_into_no_layer(built: Trees, scenes: Scenes, folder: Path) -> None:
    built.case("powertools", trees.POWERTOOLS, scenes.presign(peer=True), environment())
    layers = [path for path in folder.iterdir() if path.name.startswith("layer-")]
    assert layers
    assert not [path for path in layers if (path / "botocore").exists() or (path / "jmespath").exists()]
    assert (folder / "runtime" / "botocore").exists()


def test_a_closure_follows_requirements_but_not_those_of_extras() -> None:
    found = closure(["fastapi", "mangum"])
    assert {"fastapi", "mangum", "starlette", "pydantic", "pydantic-core", "anyio"} <= found.keys()
    assert not {"uvicorn", "email-validator", "jinja2"} & found.keys()
    with pytest.raises(PeerMissing, match="no-such-thing"):
        closure(["no-such-thing"])


def test_ratios_are_those_of_the_medians() -> None:
    samples = {"presign": Sample((0.3,) * 7), "powertools": Sample((0.5,) * 7), "fastapi": Sample((0.4,) * 7)}
    assert [goal.met for goal in cold.goals(samples)] == [True, True]
    assert cold.goals(samples)[0].value == pytest.approx(0.6)


def test_requests_to_aws_are_counted_per_request_without_those_of_the_start() -> None:
    asked = {"GetSecretValue": 1, "GetItem": 2 * 551, "PutItem": 551}
    assert warm.asked_per_request(Sample((1.0,), ({"asked": asked},))) == 3
