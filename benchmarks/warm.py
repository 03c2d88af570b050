"""CPU per request in a warm process: our presign Lambda against the same route by others' means, and what the router
takes of it.

The mean of 500 requests after 50, per process; AWS answers at the wire (`peers.wire`). In ours, two thirds of the
time is botocore's (cProfile): signing, hooks, parsing, for each request to AWS as much as a third of what `bare` takes.
Ours makes four (key, tenant, number, transaction) where the peers make two: hence the case `two requests`, our route
with the peers' own two. To meet the goal with four, a request to AWS would have to go.

Tried, and kept: no validation of parameters that one serialiser makes (a tenth less), one User-Agent instead of two put
together anew for each request (a tenth), no garbage collection of what a start has made, each path's pattern compiled
once. The tenths are of single profiles. All in all from 1.9 of FastAPI with Mangum to 1.3, a part of which is that log
lines now go nowhere, in every case.

The router's share is our front and Powertools' resolver with a use case that does nothing, against a handler that does
the same by hand; neither logs. Powertools' resolver with its validation is two thirds of it, and so is above the goal
alone. What is left (strict JSON, access table, leniencies, a copy of the event) takes six to eight times the 5 to
7 µs of that handler: the goal would be met only by giving up what the front is there for.
"""

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from benchmarks import interleaved, report
from benchmarks.cold import PEERS, peer_cases, ratio
from benchmarks.interleaved import Case, Sample
from benchmarks.peers import trees
from benchmarks.peers.scenes import Scenes, environment
from benchmarks.peers.trees import Trees
from benchmarks.report import Goal

OURS: Final = "presign"
TWO: Final = "two requests"
IDLE: Final = ("router", "by hand")
_BASES: Final = (*PEERS, "by hand")
GOAL_FASTAPI: Final = 1.0
GOAL_ROUTER: Final = 4.0
_WARM_UPS: Final = 50
_REQUESTS: Final = 500
_IDLE_REQUESTS: Final = 5_000  # they are short


def main() -> int:
    """Print the tables and the goals; 1 when one is missed or cannot be judged."""
    with tempfile.TemporaryDirectory() as folder:
        cases, missing = make_cases(Path(folder))
        samples = interleaved.compare(cases)
        versions = Trees.versions(Path(folder))
    print(table(samples))
    for line in missing:
        print(f"MISSING {line}")
    return report.conclude(
        "warm", {**interleaved.kept(samples), "missing": missing, "versions": versions}, goals(samples)
    )


def make_cases(folder: Path) -> tuple[list[Case], list[str]]:
    """All cases whose distributions are installed, and a line for each that is not."""
    scenes, built = Scenes(folder), Trees(folder)
    ours = scenes.presign(peer=False, warm_ups=_WARM_UPS, requests=_REQUESTS)
    theirs = scenes.presign(peer=True, warm_ups=_WARM_UPS, requests=_REQUESTS)
    idle = scenes.presign(peer=False, warm_ups=_WARM_UPS, requests=_IDLE_REQUESTS)
    waiting = {**environment(), "IDLE_TOKEN": scenes.token}
    cases = [
        built.case(OURS, trees.OURS, ours, environment()),
        built.case(TWO, trees.TWO_REQUESTS, ours, environment()),
        built.case("router", trees.IDLE_FRONT, idle, waiting),
        built.case("by hand", trees.IDLE_BARE, idle, waiting),
    ]
    peers, missing = peer_cases(built, PEERS, theirs)
    return [*cases, *peers], missing


def goals(samples: Mapping[str, Sample]) -> list[Goal]:
    """Ratios; one to a peer that is missing is no number, and so meets nothing."""
    return [
        Goal(f"a warm request: {OURS} / fastapi", ratio(samples, OURS, "fastapi"), GOAL_FASTAPI),
        Goal(f"the same, {TWO}: ours / fastapi", ratio(samples, TWO, "fastapi"), GOAL_FASTAPI),
        Goal("front and router / by hand", ratio(samples, "router", "by hand"), GOAL_ROUTER),
    ]


def table(samples: Mapping[str, Sample]) -> str:
    """CPU per request, its spread, requests to AWS per request, and the ratio to each peer that does the like."""
    rows = [
        [
            name,
            f"{1e6 * one.median:.0f}",
            f"{one.p90_over_p50:.2f}",
            f"{asked_per_request(one):.0f}",
            *(f"{ratio(samples, name, peer):.2f}" if (name in IDLE) == (peer in IDLE) else "" for peer in _BASES),
        ]
        for name, one in samples.items()
    ]
    return report.table(["case", "CPU µs", "p90/p50", "to AWS", *(f"× {peer}" for peer in _BASES)], rows)


def asked_per_request(sample: Sample) -> float:
    """Requests to AWS that one request makes; what a start asks for is not counted."""
    asked = {name: count for name, count in sample.reports[0]["asked"].items() if name != "GetSecretValue"}
    return float(sum(asked.values())) / (1 + _WARM_UPS + _REQUESTS)


if __name__ == "__main__":
    sys.exit(main())
