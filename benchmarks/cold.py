"""CPU of a cold start and its first request: our request Lambdas against the presign route by others' means.

Every case is a fresh process that loads its handler as Lambda does (see `peers.trees`); AWS answers at the wire
(`peers.wire`), so that all requests are serialised and signed, and nothing waits for a network. A peer reads one item
and writes one; ours reads the root keys, the key and the tenant, counts a job, and writes two records at once.

How the goal against FastAPI was reached, from 1.0 of it: no garbage collection while a start makes what is there to
stay (an eighth less), and botocore's models read into plain dicts, without looking through the folders of all services
for each kind of model (another eighth, most of what its clients took).

Why 0.60 of Powertools-with-everything was not: boto3 alone, with two clients as it makes them and no framework (the
case `bare`), takes 0.64 to 0.69 of it. By `-X importtime` on a quiet machine, of 403 ms: botocore, boto3 and urllib3
144, our own modules 72 (frozen dataclasses, most of it), making the clients and the routes 60, pydantic 57, Powertools
45; the peer has 128, none, 92, 57, 42, and 33 for X-Ray. Without pydantic and Powertools it would still be 0.8.
"""

import math
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from benchmarks import interleaved, report
from benchmarks.interleaved import Case, Sample
from benchmarks.peers import trees
from benchmarks.peers.scenes import Scenes, environment
from benchmarks.peers.trees import Peer, PeerMissing, Trees
from benchmarks.report import Goal

OURS: Final = "presign"
PEERS: Final = {
    "powertools": trees.POWERTOOLS,
    "fastapi": trees.FASTAPI,
    "flask": trees.FLASK,
    "bare": trees.BARE,
}
GOALS: Final = {"powertools": 0.60, "fastapi": 0.80}


def main() -> int:
    """Print the table and the goals; 1 when one is missed or cannot be judged."""
    with tempfile.TemporaryDirectory() as folder:
        cases, missing = make_cases(Path(folder))
        samples = interleaved.compare(cases)
        versions = Trees.versions(Path(folder))
    print(table(samples))
    for line in missing:
        print(f"MISSING {line}")
    return report.conclude(
        "cold", {**interleaved.kept(samples), "missing": missing, "versions": versions}, goals(samples)
    )


def make_cases(folder: Path) -> tuple[list[Case], list[str]]:
    """All cases whose distributions are installed, and a line for each that is not."""
    scenes, built = Scenes(folder), Trees(folder)
    cases = [
        built.case(OURS, trees.OURS, scenes.presign(peer=False), environment("presign")),
        built.case("mor", trees.OURS, scenes.mor(), environment("mor")),
        built.case("aivoco", trees.OURS, scenes.aivoco(), environment("aivoco")),
        built.case("landing", trees.LANDING, scenes.landing(), environment()),
    ]
    peers, missing = peer_cases(built, PEERS, scenes.presign(peer=True))
    return [*cases, *peers], missing


def peer_cases(built: Trees, peers: Mapping[str, Peer], scene: Path) -> tuple[list[Case], list[str]]:
    """The peers as cases, and a line for each that is not installed."""
    cases, missing = [], []
    for name, peer in peers.items():
        try:
            cases.append(built.case(name, peer, scene, environment()))
        except PeerMissing as error:
            missing.append(f"{name}: {error}; install the extra `bench`")
    return cases, missing


def goals(samples: Mapping[str, Sample]) -> list[Goal]:
    """Ratios of the presign Lambda; one to a peer that is missing is no number, and so meets nothing."""
    return [Goal(f"cold start of {OURS} / {peer}", ratio(samples, OURS, peer), limit) for peer, limit in GOALS.items()]


def ratio(samples: Mapping[str, Sample], ours: str, peer: str) -> float:
    """Of two medians; not a number where one is missing."""
    if ours not in samples or peer not in samples:
        return math.nan
    return samples[ours].median / samples[peer].median


def table(samples: Mapping[str, Sample]) -> str:
    """CPU in all, of loading and of the first request, modules loaded, and the ratio to each peer."""
    peers = [name for name in PEERS if name in samples]
    rows = [
        [
            name,
            f"{1e3 * one.median:.0f}",
            f"{one.p90_over_p50:.2f}",
            f"{1e3 * one.median_of('load_s'):.0f}",
            f"{1e3 * one.median_of('first_s'):.1f}",
            f"{one.median_of('modules'):.0f}",
            *(f"{ratio(samples, name, peer):.2f}" for peer in peers),
        ]
        for name, one in samples.items()
    ]
    head = ["case", "CPU ms", "p90/p50", "load", "first", "modules", *(f"× {peer}" for peer in peers)]
    return report.table(head, rows)


if __name__ == "__main__":
    sys.exit(main())
