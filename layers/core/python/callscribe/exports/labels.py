"""What a reader sees in place of a voice: its role where that is known well enough, else the speaker's number."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from callscribe.domain.roles import Role, Roles
from callscribe.domain.transcripts import Segment
from callscribe.exports.text import speaker_label

LEAST_CONFIDENCE: Final = 0.75  # below it a number misleads nobody, a wrong role does

Label = Callable[[Segment], str]


@dataclass(frozen=True, slots=True)
class Names:
    """What the voices are called."""

    agent: str = "Agent"
    customer: str = "Customer"
    speaker: str = "Speaker"  # before the number of a voice whose role is not known


PLAIN: Final = Names()


def label_by(roles: Roles | None, names: Names = PLAIN) -> Label:
    """`Agent` or `Customer` by roles of LEAST_CONFIDENCE or more; else `Speaker 0`, "" where it is unknown."""
    if roles is None or roles.confidence < LEAST_CONFIDENCE:
        return lambda segment: speaker_label(segment.speaker, word=names.speaker)
    return lambda segment: names.agent if roles.of(segment) is Role.AGENT else names.customer
