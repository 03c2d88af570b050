"""Written conversations: what was written by whom, as a client sends it, and as a transcript (T-A20)."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

from callscribe.domain.chat_labels import key_of, sides, split
from callscribe.domain.texts import is_blank
from callscribe.domain.transcripts import Segment, Transcript

ENGINE: Final = "text"  # what a transcript names where nobody had to listen
PIECE_BYTES: Final = 50 * 1024  # of text, which one piece of a tariff pays for
MAX_BYTES: Final = 3_900_000  # of its text, as an answer of ours carries it: see `Chat.answer_bytes`
_MOST_TURNS: Final = 20_000  # of a transcript, each of which is some hundred bytes of memory
AGENT_SIDE: Final = 0  # the channel of a transcript on which the agent's turns stand, where labels tell who is who


@dataclass(frozen=True, slots=True)
class Message:
    """What somebody wrote. `role` and `time` are as they were given, None where they were not."""

    text: str
    role: str | None = None
    time: str | None = None


@dataclass(frozen=True, slots=True)
class Chat:
    """The messages in the order in which they were given.

    `text_first`: the first of them is the one text that came beside chunks of it.
    """

    messages: tuple[Message, ...]
    text_first: bool = False

    @property
    def text(self) -> str:
        """What was sent, to be read: a chunk to a line, `[time] role: text`; after the one text a blank line."""
        lines = [_line(message) for message in self.messages]
        return "\n".join((*lines[:1], "", *lines[1:]) if self.text_first else lines)

    @property
    def size_bytes(self) -> int:
        """Of its text alone, in UTF-8."""
        return sum(len(message.text.encode("utf-8", "surrogatepass")) for message in self.messages)

    @property
    def answer_bytes(self) -> int:
        """Of its text as a Lambda hands it out in JSON: a string in a string, with the escapes of both."""
        return len(json.dumps(json.dumps(self.text, ensure_ascii=False), ensure_ascii=False).encode())

    @property
    def pieces(self) -> int:
        """How many chats it counts as: one for each PIECE_BYTES that it begins, and at least one."""
        return max(1, -(-self.size_bytes // PIECE_BYTES))

    @property
    def is_empty(self) -> bool:
        """Nobody wrote anything that shows."""
        return all(is_blank(message.text) for message in self.messages)


def of(text: str | None, chunks: Sequence[Message] = ()) -> Chat:
    """What a client sends: one text, or chunks of it, or both, of which both are kept."""
    if text is None:
        return Chat(tuple(chunks))
    return Chat((Message(text), *chunks), text_first=bool(chunks))


def to_json(chat: Chat) -> bytes:
    """ASCII JSON: whatever characters were sent, lone surrogates too, come back as they are."""
    return json.dumps(asdict(chat)).encode()


def from_json(body: bytes) -> Chat:
    """The inverse of `to_json`. Raises ValueError for anything else."""
    try:
        known = json.loads(body)
        messages = tuple(Message(**message) for message in known.pop("messages"))
        if not all(isinstance(message.text, str) for message in messages):
            raise TypeError("text")
        return Chat(messages, **known)
    except (TypeError, KeyError, ValueError, AttributeError, RecursionError) as error:
        raise ValueError("not a chat") from error


def to_transcript(chat: Chat) -> Transcript:
    """One segment for each turn, without times. Speakers are numbered in order of appearance, None without a label.

    A message without a role is split into turns where its lines begin with a speaker's label, unless the chat then has
    more turns than anybody ever wrote. Where labels tell the
    agent from the customer, the agent's turns stand on channel AGENT_SIDE and the others on channel 1.
    """
    turns = [turn for message in chat.messages for turn in _turns(message)]
    if len(turns) > _MOST_TURNS:
        turns = [(message.role, message.text) for message in chat.messages]
    labels = list(dict.fromkeys(key_of(role) for role, _ in turns if role is not None))
    speakers = {label: str(number) for number, label in enumerate(labels)}
    channels = sides(labels)
    segments = tuple(
        Segment(_clean(text), 0.0, 0.0, channels(key_of(role)), speakers.get(key_of(role)), None)
        for role, text in turns
    )
    return Transcript(segments, None, None, ENGINE, ENGINE, duration_s=0.0, speech_s=0.0)


def _turns(message: Message) -> list[tuple[str | None, str]]:
    """(role, text) of each turn that says anything."""
    turns = split(message.text) if message.role is None else [(message.role, message.text)]
    return [(role, text.strip()) for role, text in turns if not is_blank(text)]


def _line(message: Message) -> str:
    """Nobody is named who was not."""
    time = "" if message.time is None else f"[{message.time}] "
    role = "" if message.role is None else f"{message.role}: "
    return _clean(f"{time}{role}{message.text}")


def _clean(text: str) -> str:
    """Lone surrogates, which JSON can carry and UTF-8 cannot, become question marks."""
    return text.encode("utf-8", "replace").decode()
