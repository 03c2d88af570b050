"""How much work arrives: every recording counts when its job begins to wait for a worker.

One counter for each minute, which one write per job adds to: its value is audio in milliseconds by channel, its version
the number of recordings. It is no hot item: jobs begin as executions of Step Functions do, 300 a second in the long
run, of the 1,000 writes a second that one item takes; a million calls a day are 30 a second at their peak.
"""

import logging

from callscribe.domain.audio import AudioFacts
from callscribe.domain.counters import Counter
from callscribe.domain.work import Arrived
from callscribe.errors import Unavailable
from callscribe.ports import Deps

log = logging.getLogger(__name__)

SCOPE = "arrivals"
WINDOW_MINUTES = 10  # full ones, and the one that has begun
_MINUTE_MS = 60_000
_FORGET_MS = 6 * WINDOW_MINUTES * _MINUTE_MS


def note(deps: Deps, audio: AudioFacts) -> None:
    """Count a recording. Best effort: a count that is lost makes the pool of workers a little late."""
    minute = deps.now_ms() // _MINUTE_MS
    audio_ms = max(1, round(1000 * audio.duration_s * audio.channels))
    try:
        deps.store.count(SCOPE, str(minute), by=audio_ms, forget_at_ms=minute * _MINUTE_MS + _FORGET_MS)
    except Unavailable:
        log.warning("a recording could not be counted", exc_info=True)


def recent(deps: Deps) -> Arrived:
    """What arrived in the last ten minutes and the begun one. One read for each."""
    now_ms = deps.now_ms()
    first = now_ms // _MINUTE_MS - WINDOW_MINUTES
    found = [deps.store.get(Counter, SCOPE, str(first + minute)) for minute in range(WINDOW_MINUTES + 1)]
    counters = [counter for counter in found if counter is not None]
    return Arrived(
        recordings=sum(counter.version for counter in counters),
        audio_s=sum(counter.value for counter in counters) / 1000,
        over_s=(now_ms - first * _MINUTE_MS) / 1000,
    )
