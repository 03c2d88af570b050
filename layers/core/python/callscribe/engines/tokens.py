"""Words made of the tokens that a transducer or a CTC model gives, each with the time at which it begins."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from callscribe.domain.transcripts import Word
from callscribe.engines.spacing import join_words

LONGEST_TOKEN_S = 0.32  # four frames of 80 ms: what a TDT decoder can step over at once


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a word as the model writes it: a leading space begins a word. Probability 0 to 1.

    `end_s` None: the model does not say how long it lasts.
    """

    text: str
    start_s: float
    probability: float
    end_s: float | None = None


def words_of(tokens: Iterable[Token], duration_s: float) -> tuple[Word, ...]:
    """Words made of tokens.

    A word begins with its first token and ends with its last letter, where the model says when that is, else where
    the next word begins, at most one token's longest time after the last letter began. Its confidence is the mean of
    its tokens'.
    """
    groups: list[list[Token]] = []
    for token in tokens:
        if token.text.startswith(" ") or not groups:
            groups.append([])
        groups[-1].append(token)
    groups = [group for group in groups if _text(group)]
    nexts_s = [*(group[0].start_s for group in groups), duration_s][1:]
    return tuple(_word(group, min(next_s, duration_s)) for group, next_s in zip(groups, nexts_s, strict=True))


def text_of(words: Iterable[Word]) -> str:
    """The words as one line."""
    return join_words(word.text for word in words)


def _word(tokens: Sequence[Token], limit_s: float) -> Word:
    lettered = [token for token in tokens if any(letter.isalnum() for letter in token.text)] or tokens
    start_s = min(tokens[0].start_s, limit_s)
    end_s = max(start_s, min(_end_s(lettered[-1]), limit_s))
    confidence = sum(token.probability for token in tokens) / len(tokens)
    return Word(_text(tokens), round(start_s, 3), round(end_s, 3), round(confidence, 4))


def _end_s(token: Token) -> float:
    return token.start_s + LONGEST_TOKEN_S if token.end_s is None else token.end_s


def _text(tokens: Iterable[Token]) -> str:
    return "".join(token.text for token in tokens).strip()
