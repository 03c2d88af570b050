"""Who of the speakers is the agent and who the customer."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from callscribe.domain.call_facts import CallFacts
from callscribe.domain.transcripts import Segment, Transcript

CHANNEL: Final = "channel"
METADATA: Final = "metadata"
EVIDENCE: Final = "evidence"
PERSON: Final = "person"


class Role(StrEnum):
    """What somebody is in a call. A machine that speaks for the company is an agent too."""

    AGENT = "agent"
    CUSTOMER = "customer"


Voice = tuple[int, str | None]  # a segment's channel and speaker


@dataclass(frozen=True, slots=True)
class Roles:
    """The role of every voice of one transcript.

    `confidence` in [0, 1]: the share of the words that is expected to bear the right role; 0.5 is a guess.
    `source`: what decided, "channel", "metadata", "evidence", or "person" where somebody swapped them.
    """

    agents: frozenset[Voice]
    confidence: float
    source: str

    def of(self, segment: Segment) -> Role:
        """The role of whoever said this segment of the transcript."""
        return Role.AGENT if voice_of(segment) in self.agents else Role.CUSTOMER


def voice_of(segment: Segment) -> Voice:
    """Who said it, as far as the recording tells voices apart."""
    return segment.channel, segment.speaker


def assign(transcript: Transcript, call: CallFacts, *, swapped: bool = False, channels: int | None = None) -> Roles:
    """The roles by the channel map, else by the call's metadata together with what is said.

    Of two or more voices at least one is an agent and one a customer; a voice without evidence is a customer.
    `channels`, if known, is how many the recording has: on one of them nobody may have spoken.
    `swapped` exchanges the roles: then a person has listened, and the confidence is 1.
    """
    from callscribe.domain.role_words import by_words  # late: few requests judge words, and every API loads this module

    voices = Counter[Voice]()  # and how many words they said, in order of appearance
    for segment in transcript.segments:
        voices[voice_of(segment)] += len(segment.text.split())
    least_channels = max([channels or 1, *(channel + 1 for channel, _ in voices)])
    by_channel = _by_channel(voices, call.agent_channel) if least_channels > 1 else None
    roles = by_channel or by_words(transcript.segments, voices, call)
    if swapped:
        return Roles(frozenset(voices) - roles.agents, 1.0, PERSON)
    return roles


def _by_channel(voices: Mapping[Voice, int], agent_channel: int | None) -> Roles | None:
    """Of a recording that has two channels; None where there is no map, or nobody to find on it."""
    if agent_channel is None or not voices:
        return None
    return Roles(frozenset(voice for voice in voices if voice[0] == agent_channel), 1.0, CHANNEL)
