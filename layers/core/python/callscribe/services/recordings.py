"""Recordings that the operator registers, so that clients can name a call instead of sending its audio."""

import hashlib
from contextlib import suppress
from pathlib import Path

from callscribe.domain.accounts import Scope
from callscribe.domain.call_facts import NOTHING_KNOWN, CallFacts
from callscribe.domain.jobs import Job
from callscribe.domain.recordings import MAX_ID_CHARACTERS, Recording, is_id
from callscribe.domain.records import Change, delete, insert, update
from callscribe.errors import Conflict, Invalid, NotFound, Unavailable
from callscribe.ports import Deps
from callscribe.services import accounts, jobs
from callscribe.services.accounts import Principal
from callscribe.services.jobs import Source

_TRIES = 5  # of a registration that lost a race; each one reads again


class NoRecording(NotFound):
    """The call is known, but there is no audio of it, or no longer."""


def add(
    deps: Deps,
    *,
    tenant_id: str,
    recording_id: str,
    url: str | None = None,
    file: Path | None = None,
    call: CallFacts = NOTHING_KNOWN,
    replace: bool = False,
) -> Recording:
    """Register a call by the audio's URL, by a file that is stored with us, or (neither) as one without a recording.

    The same again changes nothing; something else under a known id needs `replace`, which also removes the file
    that was stored before. Raises Invalid, OutboundRefused for a URL that breaks a rule, and NotFound for the tenant.
    """
    accounts.get_tenant(deps, tenant_id)
    _check(deps, recording_id, url, file, call)
    new = Recording(
        tenant_id=tenant_id,
        id=recording_id,
        created_at_ms=deps.now_ms(),
        url=url,
        audio_sha256=None if file is None else _sha256(file),
        call=call,
    )
    for _ in range(_TRIES):
        known = deps.store.get(Recording, tenant_id, recording_id)
        if known is not None and not replace and not _same(known, new):
            raise Invalid("recording_id", "is registered already")
        made = _registered(deps, known, new, file)
        if made is not None:
            return made
    raise Unavailable(f"the recording {recording_id} changed too often")


def list_recordings(deps: Deps, tenant_id: str) -> list[Recording]:
    """All registered recordings of a tenant, newest first."""
    return list(deps.store.listed(Recording, tenant_id))


def source_of(deps: Deps, principal: Principal, given: str) -> tuple[Source, CallFacts]:
    """Where the audio of a call is, and what is known about it.

    `given` is the id of a registered recording, else the uuid or number of a job of this tenant. Raises NotFound for
    what the tenant does not have (so for all that is another's), NoRecording for a call without audio, and Forbidden
    for a job where the credential may not read: whoever gets a job's audio transcribed again reads it.
    """
    if not is_id(given):
        raise NotFound("no such call")
    recording = deps.store.get(Recording, principal.tenant_id, given)
    if recording is not None:
        return _of_recording(deps, recording), recording.call
    job = jobs.find_by_any_id(deps, tenant_id=principal.tenant_id, given=given)
    accounts.require(principal, Scope.READ)
    return _of_job(deps, job), job.call


def remove(deps: Deps, *, tenant_id: str, recording_id: str) -> Recording:
    """Forget a recording and erase every version of all audio that was ever stored for it. Raises NotFound.

    The record goes last: a removal that was interrupted can be repeated. Jobs under way keep what they have fetched.
    """
    for _ in range(_TRIES):
        known = deps.store.get(Recording, tenant_id, recording_id) if is_id(recording_id) else None
        if known is None:
            raise NotFound(f"no recording {recording_id}")
        deps.uploads.erase(known.audio_prefix)
        with suppress(Conflict):  # it was replaced meanwhile
            deps.store.commit(delete(known))
            return known
    raise Unavailable(f"the recording {recording_id} changed too often")


def _of_recording(deps: Deps, recording: Recording) -> Source:
    if recording.url is not None:
        return Source(url=recording.url)
    if not recording.stored or deps.uploads.head(recording.audio_key) is None:
        raise NoRecording(f"there is no recording of the call {recording.id}")
    return Source(key=recording.audio_key)


def _of_job(deps: Deps, job: Job) -> Source:
    """The version that was transcribed: an upload's URL may have been used again since."""
    version_id = job.audio_version_id
    if not job.kept or deps.uploads.head(job.audio_key, version_id=version_id) is None:
        raise NoRecording(f"there is no recording of the job {job.id}")
    return Source(key=job.audio_key, version_id=version_id)


def _check(deps: Deps, recording_id: str, url: str | None, file: Path | None, call: CallFacts) -> None:
    if not is_id(recording_id):
        raise Invalid("recording_id", f"must have 1 to {MAX_ID_CHARACTERS} printable characters")
    if call.agent_channel not in (None, 0, 1):
        raise Invalid("agent_channel", "must be 0 or 1")
    if url is not None and file is not None:
        raise Invalid("url", "must not be given together with a file")
    if url is not None:
        deps.downloader.check(url)
    if file is not None:
        _check_file(deps, file)


def _check_file(deps: Deps, file: Path) -> None:
    if not file.is_file():
        raise Invalid("file", "must be a file")
    max_bytes = deps.settings.limits.max_bytes
    if not 0 < file.stat().st_size <= max_bytes:
        raise Invalid("file", f"must have 1 to {max_bytes} bytes")


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _same(known: Recording, new: Recording) -> bool:
    return (known.url, known.audio_sha256, known.call) == (new.url, new.audio_sha256, new.call)


def _registered(deps: Deps, known: Recording | None, new: Recording, file: Path | None) -> Recording | None:
    """Store the audio, then the record that names it, then remove audio that none names; None for a lost race."""
    put = file is not None and deps.uploads.head(new.audio_key) is None
    if put and file is not None:
        deps.uploads.put_file(new.audio_key, file)
    if known is not None and _same(known, new):
        return known
    change = _change(known, new)
    try:
        deps.store.commit(change)
    except Conflict:
        if put:
            _discard(deps, new)
        return None
    if known is not None and known.stored and known.audio_key != new.audio_key:
        deps.uploads.erase(known.audio_key)
    stored: Recording = change.after
    return stored


def _discard(deps: Deps, new: Recording) -> None:
    """Remove audio whose record lost a race, unless the one that won names the same."""
    winner = deps.store.get(Recording, new.tenant_id, new.id)
    if winner is None or winner.audio_key != new.audio_key:
        deps.uploads.erase(new.audio_key)


def _change(known: Recording | None, new: Recording) -> Change:
    if known is None:
        return insert(new)
    return update(known, url=new.url, audio_sha256=new.audio_sha256, call=new.call)
