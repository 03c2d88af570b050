"""Synchronous requests: each one enters an exchange, waits for its job, and leaves; the last one erases what was made.

Entering and leaving are compare-and-swap, so that nobody joins what is being erased and nobody's answer is erased
while it is being read. Whoever dies in between is no longer counted after a time, and the sweeper does the rest.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from callscribe.domain.exchanges import Exchange, ExchangeState, Waiter, request_digest
from callscribe.domain.jobs import Job, JobState
from callscribe.domain.records import Change, insert, update
from callscribe.errors import Conflict, NotFound, Unavailable
from callscribe.ports import Deps
from callscribe.services import accounts, creation, jobs, ledger, leftovers
from callscribe.services.accounts import Principal
from callscribe.services.jobs import NewJob

_TRIES = 50  # of a step that lost a race: many equal requests may come at once
_ERASURES = 5
_PURPOSE: Final = "exchange"
_DYING_S = 60  # on top of the time that a request may wait, before it counts as dead
_KEPT_MS = 86_400_000  # a record that has ended; far longer than any process can live


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. `parts` are what makes it equal to another one, besides the credential and the `audio` it brings."""

    parts: tuple[str, ...]
    new: NewJob
    audio: bytes | None = None


@dataclass(frozen=True, slots=True)
class Seat:
    """A request's place in an exchange, which it has opened or joined."""

    tenant_id: str
    digest: str
    job_id: str
    waiter_id: str
    joined: bool = False


@dataclass(frozen=True, slots=True)
class Pace:
    """How to wait: pauses grow from `first_s` by `growth` to `longest_s`."""

    sleep: Callable[[float], None] = time.sleep
    monotonic_s: Callable[[], float] = time.monotonic
    first_s: float = 0.2
    longest_s: float = 1.0
    growth: float = 1.3


def enter(deps: Deps, principal: Principal, asked: Asked, *, stay_s: float) -> Seat:
    """Join the exchange of equal requests, or open one with a new job; its audio is on its way when this returns.

    `stay_s` is how long the request may wait. Raises InsufficientCredits where a new job could not be paid, and what
    `jobs.create` raises.
    """
    waiter = Waiter(deps.random_bytes(8).hex(), deps.now_ms() + round(1000 * (stay_s + _DYING_S)))
    digests = _digests(deps, principal, asked)
    for _ in range(_TRIES):
        known = _known(deps, principal.tenant_id, digests)
        try:
            if known is not None and _joinable(deps, known):
                others = known.others(waiter.id, now_ms=deps.now_ms())
                deps.store.commit(update(known, waiters=(*others, waiter)))
                seat = Seat(principal.tenant_id, known.digest, known.job_id, waiter.id, joined=True)
            else:
                seat = _opened(deps, principal, asked, waiter, known or digests[0])
        except Conflict:
            continue
        return seat
    raise Unavailable("an exchange changed too often")


def bring(deps: Deps, seat: Seat, asked: Asked) -> None:
    """Put the audio that came along to where uploads arrive, or have it fetched, unless another of the equal requests
    has done it.
    """
    job = find_job(deps, seat)
    if seat.joined and asked.new.source is not None:  # who opened the exchange may have died before it asked
        creation.ask_again(deps, job, asked.new.source)
    if asked.audio is None or job.state is not JobState.AWAITING_UPLOAD or deps.uploads.head(job.audio_key) is not None:
        return
    deps.uploads.put_if_absent(job.audio_key, asked.audio, content_type=job.media_type or "application/octet-stream")
    leftovers.erase_late_audio(deps, seat.tenant_id, seat.job_id)


def wait(deps: Deps, seat: Seat, *, until_s: float, pace: Pace) -> Job:
    """The job once it has ended, or as it stands at `until_s` on the pace's clock. Raises NotFound if it is deleted."""
    pause_s = pace.first_s
    while True:
        job = find_job(deps, seat)
        left_s = until_s - pace.monotonic_s()
        if job.finished or left_s <= 0:
            return job
        pace.sleep(min(pause_s, left_s))
        pause_s = min(pause_s * pace.growth, pace.longest_s)


def find_job(deps: Deps, seat: Seat) -> Job:
    """The exchange's job as it stands. Raises NotFound if it is deleted."""
    return jobs.find(deps, tenant_id=seat.tenant_id, job_id=seat.job_id)


def leave(deps: Deps, seat: Seat, *, answered: bool) -> None:
    """Wait no longer. The last one ends the exchange and erases what was made, if it has its answer."""
    for _ in range(_TRIES):
        known = deps.store.get(Exchange, seat.tenant_id, seat.digest)
        if known is None or known.job_id != seat.job_id or known.state is not ExchangeState.OPEN:
            return  # it was ended by the sweeper
        others = known.others(seat.waiter_id, now_ms=deps.now_ms())
        change = update(known, waiters=others) if others or not answered else _ending(deps, known)
        try:
            deps.store.commit(change)
        except Conflict:
            continue
        if change.after.state is ExchangeState.ENDING:
            _erase(deps, change.after)
        return
    raise Unavailable("an exchange changed too often")


def expire(deps: Deps, listed: Exchange) -> str:
    """What the sweeper does with an exchange that is due: the result of a job that has ended waits
    `settings.fetched_result_s` to be fetched. Says what was done. Raises Conflict.
    """
    known = deps.store.get(Exchange, listed.tenant_id, listed.digest)
    if known is None or known.state is ExchangeState.ENDED:
        return "ended_meanwhile"
    if known.state is ExchangeState.OPEN:
        over_ms = _over_ms(deps, known)
        if deps.now_ms() < over_ms:
            deps.store.commit(update(known, due_at_ms=over_ms))
            return "exchange_awaited"
        change = _ending(deps, known)
        deps.store.commit(change)
        known = change.after
    _erase(deps, known)
    return "exchange_erased"


def _over_ms(deps: Deps, known: Exchange) -> int:
    """When the exchange is over; while its job is under way that is not before a result made now would be."""
    job = deps.store.get(Job, known.tenant_id, known.job_id)
    if job is None:
        return 0
    ended_ms = deps.now_ms() if job.finished_at_ms is None else job.finished_at_ms
    return ended_ms + 1000 * deps.settings.fetched_result_s


def _digests(deps: Deps, principal: Principal, asked: Asked) -> list[str]:
    """The request's digest by the root key that signs, then by the others: a rotation must not split an exchange."""
    current = deps.keyring.current
    root_ids = [current, *(root_id for root_id in deps.keyring.roots if root_id != current)]
    keys = [deps.keyring.derive(_PURPOSE, root_id=root_id) for root_id in root_ids]
    return [request_digest(key, credential_id=principal.key_id, parts=asked.parts, audio=asked.audio) for key in keys]


def _known(deps: Deps, tenant_id: str, digests: list[str]) -> Exchange | None:
    """The open exchange of these digests, else whatever is left of the last one under the first."""
    found = [deps.store.get(Exchange, tenant_id, digest) for digest in digests]
    return next((one for one in found if one is not None and one.state is ExchangeState.OPEN), found[0])


def _joinable(deps: Deps, known: Exchange) -> bool:
    """Whether its job goes on or has ended with an answer. One that was deleted or cancelled elsewhere has none."""
    if known.state is not ExchangeState.OPEN:
        return False
    job = deps.store.get(Job, known.tenant_id, known.job_id)
    return job is not None and job.state is not JobState.CANCELLED


def _opened(deps: Deps, principal: Principal, asked: Asked, waiter: Waiter, place: Exchange | str) -> Seat:
    """Make a job, and the exchange with it in one transaction. Raises Conflict where another request was faster."""
    price = jobs.price_for(accounts.get_tenant(deps, principal.tenant_id), principal)
    ledger.require_funds(deps, tenant_id=principal.tenant_id, price=price)
    if isinstance(place, Exchange) and place.state is not ExchangeState.ENDED:
        _erase_contents(deps, place)  # of the round before, which somebody did not bring to its end
    job = jobs.create(deps, principal, asked.new, beside=lambda made: [_round(deps, place, made, waiter)])
    digest = place if isinstance(place, str) else place.digest
    return Seat(job.tenant_id, digest, job.id, waiter.id)


def _round(deps: Deps, place: Exchange | str, job: Job, waiter: Waiter) -> Change:
    due_at_ms = deps.now_ms() + 1000 * deps.settings.fetched_result_s
    if isinstance(place, str):
        return insert(Exchange(job.tenant_id, place, job.id, ExchangeState.OPEN, due_at_ms, (waiter,)))
    return update(
        place, job_id=job.id, state=ExchangeState.OPEN, due_at_ms=due_at_ms, waiters=(waiter,), forget_at_ms=None
    )


def _ending(deps: Deps, known: Exchange) -> Change:
    """From here on nobody joins; the sweeper looks at it soon, should we not get to the end."""
    due_at_ms = deps.now_ms() + 1000 * _DYING_S
    return update(known, state=ExchangeState.ENDING, waiters=(), due_at_ms=due_at_ms)


def _erase(deps: Deps, ending: Exchange) -> None:
    _erase_contents(deps, ending)
    ended = update(ending, state=ExchangeState.ENDED, due_at_ms=None, forget_at_ms=deps.now_ms() + _KEPT_MS)
    try:
        deps.store.commit(ended)
    except Conflict:  # somebody else has done the same, or begun the next round
        return


def _erase_contents(deps: Deps, known: Exchange) -> None:
    """Remove what the round's job has left. Safe to run twice, and by two at a time."""
    for _ in range(_ERASURES):
        try:
            job = jobs.find(deps, tenant_id=known.tenant_id, job_id=known.job_id)
            leftovers.erase_contents(deps, job)
            if job.finished:
                leftovers.note_cleared(deps, job)
        except NotFound:
            return
        except Conflict:  # it, or its link, was changed at the same moment
            continue
        return
    raise Unavailable(f"the contents of job {known.job_id} changed too often")
