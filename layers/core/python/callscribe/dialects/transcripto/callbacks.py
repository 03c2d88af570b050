"""The contract knows no callbacks: its clients ask how a task stands."""

from callscribe.services.callbacks import BodySigner, Result


def render_callback(_result: Result, _sign: BodySigner) -> None:
    """Nothing is sent."""
