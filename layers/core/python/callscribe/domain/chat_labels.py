"""Who wrote a line of a conversation, where the line itself says so: "Operator: good morning"."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final

Turn = tuple[str | None, str]  # a speaker's label, None where there is none, and what was written

# No part gives back what it took, so that a line of any kind is read in a time that grows with its length alone.
_TIME: Final = r"[\[(]?\d(?:[\d:.,/ -]|T(?=\d)){2,22}+[\])]?+[ \t,-]*+"  # many programs write it before the name
_HEAD: Final = re.compile(rf"[ \t>*-]*+(?:{_TIME})?+\**+([^\W\d_][\w .'’()-]{{0,39}}+)\**+[ \t]*+:\**+(?!//)")
_MOST_CHARACTERS: Final = 100  # of a line, in which a name is looked for
_AGENT_WORDS: Final = frozenset(
    {
        *("operator", "agent", "manager", "support", "assistant", "bot", "consultant"),
        *("оператор", "агент", "менеджер", "поддержка", "ассистент", "бот"),
    }
)
_CUSTOMER_WORDS: Final = frozenset(
    {
        *("customer", "client", "caller", "user", "visitor", "guest"),
        *("клиент", "покупатель", "абонент", "пользователь", "посетитель", "гость"),
    }
)
# What begins lines of letters and notes, and is nobody.
_NOBODY: Final = frozenset(
    {
        *("from", "to", "cc", "bcc", "subject", "date", "sent", "re", "fw", "fwd"),
        *("http", "https", "note", "ps", "p.s"),
        *("тема", "от", "кому", "дата", "копия", "отправлено"),
    }
)


def split(text: str) -> list[Turn]:
    """A text's turns. A line without a label goes on with the turn before it; line ends are kept.

    A label counts when it says who speaks, or when it comes more than once; and where only one speaker is found by
    that, any: a conversation has two.
    """
    lines = text.splitlines()
    found = [_HEAD.match(line, 0, _MOST_CHARACTERS) for line in lines]
    labels = _believed([match[1] for match in found if match is not None])
    turns: list[tuple[str | None, list[str]]] = [(None, [])]
    for line, match in zip(lines, found, strict=True):
        if match is not None and match[1] in labels:
            turns.append((match[1].rstrip(), [line[match.end() :].lstrip(" \t")]))
        else:
            turns[-1][1].append(line)
    return [(label, "\n".join(written)) for label, written in turns]


def key_of(label: str | None) -> str | None:
    """What makes two labels one speaker's: case and spaces do not."""
    return None if label is None else " ".join(label.casefold().split())


def sides(labels: Sequence[str | None]) -> Callable[[str | None], int]:
    """Which channel a speaker's turns stand on: 0 the agent's, 1 all others'. All 0 where no label tells."""
    agents = {label for label in labels if _has_word(label, _AGENT_WORDS)}
    customers = {label for label in labels if _has_word(label, _CUSTOMER_WORDS)} - agents
    if not agents and customers:
        agents = set(labels) - customers
    return lambda label: int(bool(agents) and label not in agents)


def _believed(labels: Sequence[str]) -> set[str]:
    """Those of them, as they are written, that are somebody's."""
    written = Counter(labels)
    counts = Counter[str | None]()
    for label, count in written.items():
        counts[key_of(label)] += count
    people = {key: count for key, count in counts.items() if not _has_word(key, _NOBODY)}
    sure = {key for key, count in people.items() if count > 1 or _says_who(key)}
    believed = set(people) if len(sure) == 1 else sure
    return {label for label in written if key_of(label) in believed}


def _says_who(label: str | None) -> bool:
    return _has_word(label, _AGENT_WORDS | _CUSTOMER_WORDS)


def _has_word(label: str | None, words: frozenset[str]) -> bool:
    return any(word in words for word in _words(label))


def _words(label: str | None) -> Iterator[str]:
    yield from (word.strip("().-") for word in (label or "").split())
