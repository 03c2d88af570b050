"""Files of a repository on the Hugging Face hub, at one commit; the only user of the hub's own client.

For the operator's command line and for image builds: a running stage never fetches a model.
"""

from pathlib import Path
from typing import NoReturn

from callscribe.errors import CallscribeError, Invalid, NotFound, Unauthenticated, Unavailable


def download(repository: str, revision: str, patterns: tuple[str, ...], into: Path, with_login: bool) -> None:
    """The files that match, below `into`; those that an earlier, broken try left there are not fetched again.

    `with_login`: say who we are, by HF_TOKEN or the login that is kept; other repositories are not told. Raises
    NotFound, Unauthenticated, Unavailable, Invalid where the client is not installed, and OSError for a full disk.
    """
    try:
        from huggingface_hub import constants, snapshot_download
        from huggingface_hub.errors import (  # type: ignore[attr-defined]  # HTTPError: its HTTP client's own, whichever
            HTTPError,
            LocalEntryNotFoundError,
        )
    except ModuleNotFoundError as missing:
        raise Invalid("model", f"fetching needs the package {missing.name}: install callscribe[asr]") from missing
    if constants.HF_HUB_OFFLINE:
        raise Unavailable("HF_HUB_OFFLINE is set: take it away to fetch a model")
    try:
        snapshot_download(
            repository,
            revision=revision,
            local_dir=into,
            cache_dir=into / ".cache",
            allow_patterns=list(patterns),
            token=None if with_login else False,
        )
    except (HTTPError, LocalEntryNotFoundError) as error:
        _explain(error, repository, revision)


def _explain(error: Exception, repository: str, revision: str) -> NoReturn:
    raise _meaning(error, repository, revision) from error


def _meaning(error: Exception, repository: str, revision: str) -> CallscribeError:
    from huggingface_hub import constants
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

    # Where it first looks for a copy of its own, the client wraps what the hub said.
    said = error.__cause__ if isinstance(error.__cause__, HfHubHTTPError) else error
    if isinstance(said, RevisionNotFoundError):
        return NotFound(f"{repository} has no commit {revision}")
    if isinstance(said, GatedRepoError):
        page = f"{constants.ENDPOINT}/{repository}"
        return Unauthenticated(f"{repository} is gated: accept its terms at {page}, then set HF_TOKEN to your token")
    if isinstance(said, RepositoryNotFoundError):  # the hub says the same of one that must not be seen
        return NotFound(f"there is no repository {repository}, or HF_TOKEN is not allowed to see it")
    status = said.response.status_code if isinstance(said, HfHubHTTPError) else None
    if status in (401, 403):
        return Unauthenticated(f"the hub refused {repository} ({status}): set HF_TOKEN to a token that may read it")
    if status is not None:
        return Unavailable(f"the hub answered {status} for {repository}")
    return Unavailable(f"the hub at {constants.ENDPOINT} cannot be reached")
