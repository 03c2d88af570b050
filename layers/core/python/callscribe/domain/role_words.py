"""Who of the speakers is the agent and who the customer, judged by what they say."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from callscribe.domain.call_facts import CallFacts
from callscribe.domain.role_cues import AGENT_NAME, COMPANY, Cue, cues, mark, name_cues, plain
from callscribe.domain.roles import EVIDENCE, METADATA, Roles, Voice, voice_of
from callscribe.domain.transcripts import Segment

_GUESS = 0.5
_MOST = 0.99  # words alone never prove it
_TRUST = 0.45  # of a point of score: cues of one call are not independent of one another
_REPEATED = 0.5  # what saying the same again adds
_OPENING_S = 45.0  # people say who they are and why they call at the beginning: cues there count up to double
_NAMES_WITHIN_S = 120.0
_FIRST_TO_SPEAK = 0.5  # most recordings begin with the agent
_ANSWERED = {"inbound": 1.5, "outbound": -1.0}  # a machine's outbound call may be recorded from its own first word


def by_words(segments: Iterable[Segment], voices: Mapping[Voice, int], call: CallFacts) -> Roles:
    """The roles of these voices (by how many words each said), by metadata and by what their segments say."""
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
