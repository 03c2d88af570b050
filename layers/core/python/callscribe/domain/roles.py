"""Who of the speakers is the agent and who the customer."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from itertools import groupby
from typing import Final

from callscribe.domain.role_cues import AGENT_NAME, COMPANY, Cue, cues, mark, name_cues, plain
from callscribe.domain.transcripts import Segment, Transcript

CHANNEL: Final = "channel"
METADATA: Final = "metadata"
EVIDENCE: Final = "evidence"
PERSON: Final = "person"

_GUESS = 0.5
_MOST = 0.99  # words alone never prove it
_TRUST = 0.45  # of a point of score: cues of one call are not independent of one another
_REPEATED = 0.5  # what saying the same again adds
_OPENING_S = 45.0  # people say who they are and why they call at the beginning: cues there count up to double
_NAMES_WITHIN_S = 120.0
_FIRST_TO_SPEAK = 0.5  # most recordings begin with the agent
_ANSWERED = {"inbound": 1.5, "outbound": -1.0}  # a machine's outbound call may be recorded from its own first word


class Direction(StrEnum):
    """Who called whom: inbound, a customer called; outbound, an agent did."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What is known about a call before anybody listens: by its channels, or by its metadata."""

    agent_channel: int | None = None  # 0 or 1, of a two-channel recording
    direction: Direction | None = None
    agent_name: str | None = None
    company_name: str | None = None

    def over(self, general: "CallFacts") -> "CallFacts":
        """These facts, and where one is not known, the general one."""
        known = {name: value for name, value in asdict(self).items() if value is not None}
        return replace(general, **known)


NOTHING_KNOWN = CallFacts()


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
    voices = Counter[Voice]()  # and how many words they said, in order of appearance
    for segment in transcript.segments:
        voices[voice_of(segment)] += len(segment.text.split())
    least_channels = max([channels or 1, *(channel + 1 for channel, _ in voices)])
    by_channel = _by_channel(voices, call.agent_channel) if least_channels > 1 else None
    roles = by_channel or _by_words(transcript.segments, voices, call)
    if swapped:
        return Roles(frozenset(voices) - roles.agents, 1.0, PERSON)
    return roles


def _by_channel(voices: Mapping[Voice, int], agent_channel: int | None) -> Roles | None:
    """Of a recording that has two channels; None where there is no map, or nobody to find on it."""
    if agent_channel is None or not voices:
        return None
    return Roles(frozenset(voice for voice in voices if voice[0] == agent_channel), 1.0, CHANNEL)


def _by_words(segments: Iterable[Segment], voices: Mapping[Voice, int], call: CallFacts) -> Roles:
    if not voices:
        return Roles(frozenset(), _GUESS, EVIDENCE)
    turns = _turns(segments)
    evidence = _scores(turns, cues())
    metadata = _scores(_with_names(turns, call), name_cues())
    first = turns[0].voice
    if call.direction is not None:
        metadata[first] += _ANSWERED[call.direction]
    elif len(voices) > 1:
        evidence[first] += _FIRST_TO_SPEAK
    return _decide(voices, evidence, metadata)


def _decide(voices: Mapping[Voice, int], evidence: Mapping[Voice, float], metadata: Mapping[Voice, float]) -> Roles:
    """Agents are the voices nearer to the highest score than to the lowest."""
    scores = {voice: evidence[voice] + metadata[voice] for voice in voices}
    known = [score for (_, speaker), score in scores.items() if speaker is not None] or list(scores.values())
    highest, lowest = max(known), min(known)
    border = (highest + lowest) / 2 if len(known) > 1 else 0.0
    agents = frozenset(voice for voice, score in scores.items() if score > border)
    apart = 2 if len(known) > 1 else 1
    sure = {voice: _probability(apart * abs(score - border)) for voice, score in scores.items()}
    by_metadata = _spread(metadata, voices) > _spread(evidence, voices)
    return Roles(agents, _share_right(sure, voices), METADATA if by_metadata else EVIDENCE)


def _share_right(sure: Mapping[Voice, float], words: Mapping[Voice, int]) -> float:
    """Of all words, those expected to bear the right role; an unknown speaker's words may be anybody's."""
    total = sum(max(1, count) for count in words.values())
    right = sum(max(1, count) * (sure[voice] if voice[1] is not None else _GUESS) for voice, count in words.items())
    return round(right / total, 2)


def _probability(score: float) -> float:
    return min(_MOST, 1 / (1 + math.exp(-_TRUST * score)))


def _spread(scores: Mapping[Voice, float], voices: Iterable[Voice]) -> float:
    values = [scores[voice] for voice in voices]
    return max(values) - min(values) if len(values) > 1 else abs(values[0])


@dataclass(frozen=True, slots=True)
class _Turn:
    """What one voice says until another speaks: plain text; times in seconds from the first word of the call."""

    voice: Voice
    text: str
    start_s: float
    end_s: float


def _turns(segments: Iterable[Segment]) -> list[_Turn]:
    """A phrase may be cut by a pause, so the segments of a turn are read as one."""
    runs = [(voice, list(run)) for voice, run in groupby(segments, voice_of)]
    zero_s = runs[0][1][0].start_s
    return [
        _Turn(voice, plain(" ".join(part.text for part in run)), run[0].start_s - zero_s, run[-1].end_s - zero_s)
        for voice, run in runs
    ]


def _with_names(turns: Iterable[_Turn], call: CallFacts) -> list[_Turn]:
    """The beginning of the call, with signs in place of the names that the metadata know."""
    signs = [(AGENT_NAME, (call.agent_name or "").split(" ")[0]), (COMPANY, call.company_name or "")]
    found = [turn for turn in turns if turn.start_s <= _NAMES_WITHIN_S]
    for sign, name in signs:
        if name:
            found = [replace(turn, text=mark(turn.text, name, sign)) for turn in found]
    return found if any(name for _, name in signs) else []


def _scores(turns: Iterable[_Turn], phrases: Sequence[Cue]) -> defaultdict[Voice, float]:
    """How much like an agent each voice speaks."""
    scores: defaultdict[Voice, float] = defaultdict(float)
    said: Counter[tuple[Voice, Cue]] = Counter()
    for turn in turns:
        for cue in phrases:
            for match in cue.pattern.finditer(turn.text):
                at_s = turn.start_s + (turn.end_s - turn.start_s) * match.start() / len(turn.text)
                early = 1 + math.exp(-at_s / _OPENING_S)
                scores[turn.voice] += cue.weight * early * _REPEATED ** said[turn.voice, cue]
                said[turn.voice, cue] += 1
    return scores
