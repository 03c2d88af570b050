"""Figures 1 to 4 of the security table: `python -m tests.security.figures` measures and prints them."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from callscribe.adapters.web.guard import Purpose
from tests.security import differential, downloads, harness, modes, tampering
from tests.security.downloads import Download, ScriptedNetwork
from tests.security.harness import RecordingNetwork

RANDOM_URLS = 20_000
SEED = 20_260_601
LEAST_NAIVE = 50  # hostile cases that an ordinary client must reach, or the harness proves nothing
LEAST_VERDICTS = 1_000  # random URLs that the libraries must refuse, and that we must connect to


@dataclass(frozen=True)
class Figure:
    """One measured figure. `controls` shows that the measurement could have failed, if `controls_hold`."""

    number: int
    name: str
    measured: int
    of: int
    goal: int
    controls: str
    controls_hold: bool

    @property
    def reached(self) -> bool:
        return self.measured == self.goal and self.controls_hold


def hostile_connections() -> Figure:
    """Requests to the hostile corpus, for both purposes, that led to a connection."""
    urls = harness.corpus()
    network = RecordingNetwork(dns=urls.dns)
    client = network.client()
    tried = [(url, purpose) for url in urls.hostile for purpose in Purpose]
    reached = [case for case in tried if harness.guarded_attempt(client, network, *case)]
    naive, of = naive_connections()
    good = good_connections()
    controls = f"good URLs connected: {good} of {len(urls.good)}; plain httpx reached {naive} of {of}"
    hold = good == len(urls.good) and naive >= LEAST_NAIVE
    return Figure(1, "hostile URLs that led to a connection", len(reached), len(tried), 0, controls, hold)


def good_connections() -> int:
    urls = harness.corpus()
    network = RecordingNetwork()
    client = network.client()
    return sum(len(harness.guarded_attempt(client, network, url, Purpose.AUDIO)) == 1 for url in urls.good)


def naive_connections() -> tuple[int, int]:
    """How many of the corpus's cases an ordinary client connects to in the same harness, and of how many."""
    urls = harness.corpus()
    network = RecordingNetwork(dns=urls.dns)
    cases = [*urls.literal, *(f"http://{name}/" for name in urls.dns)]
    with harness.naive_client(network) as client:
        return sum(bool(harness.naive_attempt(client, network, url)) for url in cases), len(cases)


def hostile_redirects() -> Figure:
    """Redirects of a download to the hostile corpus that led to a connection."""
    urls = harness.corpus()
    network = ScriptedNetwork(dns=urls.dns)
    download = Download(network)
    locations = downloads.hostile_locations()
    astray = sum(map(download.is_led_astray, locations))
    good = sum(map(download.reaches, urls.good))
    file = download.reaches_the_file_behind_three_redirects()
    plain = [location for location in locations if location.startswith("http://")]
    with harness.naive_client(network) as client:
        naive = sum(downloads.naive_is_led_astray(client, network, location) for location in plain)
    network.close()
    controls = (
        f"good URLs connected: {good} of {len(urls.good)}; plain httpx followed {naive} of {len(plain)}; "
        f"a file behind 3 redirects: {'downloaded' if file else 'LOST'}"
    )
    hold = good == len(urls.good) and naive >= LEAST_NAIVE and file
    return Figure(1, "downloads: hostile redirects that led to a connection", astray, len(locations), 0, controls, hold)


def oracle_disagreements() -> Figure:
    """Random URLs that a library refuses by address and that we connect to."""
    maker = differential.UrlMaker(SEED)
    urls = [maker.url() for _ in range(RANDOM_URLS)]
    network = RecordingNetwork(dns=maker.dns)
    client = network.client()
    connected = {url for url in urls if harness.guarded_attempt(client, network, url, Purpose.AUDIO)}
    with differential.oracles(maker.dns) as refuses:
        refused = {url for url in urls if refuses(url)}
    controls = f"refused by a library: {len(refused)}; connected by us: {len(connected)}"
    hold = min(len(refused), len(connected)) >= LEAST_VERDICTS
    return Figure(
        2, "random URLs: a library refuses, we connect", len(refused & connected), len(urls), 0, controls, hold
    )


def accepted_tamperings() -> Figure:
    """One-bit changes of body, id or timestamp that the independent verifier accepts."""
    messages = list(tampering.tampered())
    accepted = sum(map(tampering.accepted, messages))
    untouched = sum(map(tampering.accepted, map(tampering.signed, (tampering.SHORT_BODY, tampering.long_body()))))
    controls = f"untouched accepted: {untouched} of 2"
    return Figure(3, "one-bit tamperings accepted", accepted, len(messages), 0, controls, untouched == 2)


def receiver_modes() -> Figure:
    """Hostile receivers on loopback that are handled right."""
    wrong = [name for name, handled in modes.MODES.items() if not handled()]
    controls = "wrong: " + (", ".join(wrong) or "none")
    return Figure(
        4, "receiver modes handled right", len(modes.MODES) - len(wrong), len(modes.MODES), 12, controls, not wrong
    )


FIGURES: Sequence[Callable[[], Figure]] = (
    hostile_connections,
    hostile_redirects,
    oracle_disagreements,
    accepted_tamperings,
    receiver_modes,
)


def main() -> int:
    """Print the table; 0 when every goal is reached."""
    sys.stdout.write("| # | figure | measured | of | goal | reached | controls |\n|---|---|---|---|---|---|---|\n")
    figures = [measure() for measure in FIGURES]
    for figure in figures:
        cells = (figure.number, figure.name, figure.measured, figure.of, figure.goal, "yes" if figure.reached else "NO")
        sys.stdout.write("| " + " | ".join(map(str, (*cells, figure.controls))) + " |\n")
    return 0 if all(figure.reached for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
