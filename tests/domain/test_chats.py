"""T-A20: what chats may look like, and what they are as transcripts."""

import json
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callscribe.domain import chats, transcripts
from callscribe.domain.call_facts import CallFacts
from callscribe.domain.chat_labels import split
from callscribe.domain.chats import Chat, Message, to_transcript
from callscribe.domain.roles import Role, assign
from callscribe.domain.texts import is_blank, one_line
from callscribe.domain.transcripts import Transcript

MAPPED = CallFacts(agent_channel=chats.AGENT_SIDE)


def turns(*messages: Message) -> list[tuple[str | None, str]]:
    return [(segment.speaker, segment.text) for segment in to_transcript(Chat(messages)).segments]


def roles(transcript: Transcript) -> list[Role]:
    found = assign(transcript, MAPPED)
    return [found.of(segment) for segment in transcript.segments]


def test_T_A20_a_text_is_split_where_its_lines_say_who_speaks() -> None:
    text = "Operator: Good morning!\nCustomer: Hi, where is\nmy order?\n\nOperator: On its way."
    assert turns(Message(text)) == [
        ("0", "Good morning!"),
        ("1", "Hi, where is\nmy order?"),
        ("0", "On its way."),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "Operator: hello",
        "operator : hello",
        "  OPERATOR: hello",
        "[10:21] Operator: hello",
        "2025-10-20 10:21:07 Operator: hello",
        "[20.10.2025, 10:21:07] Operator: hello",
        "**Operator:** hello",
        "- Operator: hello",
        "> Operator: hello",
        "Operator 1: hello",
        "Support agent (Anna): hello",
        "Оператор: hello",
        "Operator:\nhello",
        "2025-10-20T10:21:07 Operator: hello",
    ],
)
def test_T_A20_a_label_may_stand_as_programs_write_it(line: str) -> None:
    assert turns(Message(f"{line}\nCustomer: hi")) == [("0", "hello"), ("1", "hi")]


@pytest.mark.parametrize(
    "text",
    [
        "Dialog with a customer...",
        "See https://example.com/a: it is there",
        "https://example.com/a",
        "It is 10:21 now",
        "10:21",
        "Note: the parcel is late",
        "From: a@example.com\nTo: b@example.com\nSubject: order\nFrom: a@example.com",
        "I want three things: a, b and c",
        ": what",
    ],
)
def test_T_A20_a_text_without_labels_is_one_turn_of_somebody(text: str) -> None:
    assert turns(Message(text)) == [(None, text)]


def test_names_count_as_labels_once_they_come_again_or_somebody_else_is_known() -> None:
    assert turns(Message("Anna: hello\nBoris: hi\nAnna: bye\nBoris: bye")) == [
        ("0", "hello"),
        ("1", "hi"),
        ("0", "bye"),
        ("1", "bye"),
    ]
    assert turns(Message("Operator: hello\nAnna: hi")) == [("0", "hello"), ("1", "hi")]
    assert turns(Message("Anna: hello\nand more")) == [(None, "Anna: hello\nand more")]


def test_what_comes_before_the_first_label_is_nobodys() -> None:
    assert turns(Message("Chat of 20 October\nOperator: hello\nCustomer: hi")) == [
        (None, "Chat of 20 October"),
        ("0", "hello"),
        ("1", "hi"),
    ]


def test_T_A20_chunks_are_turns_with_the_roles_that_they_have() -> None:
    found = turns(Message("hello", role="operator", time="10:21"), Message("hi", role="Client"), Message("Operator: x"))
    assert found == [("0", "hello"), ("1", "hi"), ("0", "x")]


def test_T_A20_a_chunk_that_has_a_role_is_not_split() -> None:
    assert turns(Message("Customer: said the customer", role="operator")) == [("0", "Customer: said the customer")]


def test_T_A20_text_and_chunks_are_both_kept() -> None:
    chunk = Message("hi", role="customer")
    assert chats.of("Operator: hello", [chunk]) == Chat((Message("Operator: hello"), chunk), text_first=True)
    assert chats.of(None, [chunk]) == Chat((chunk,))
    assert chats.of("x") == Chat((Message("x"),))
    assert chats.of(None) == Chat(())


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (("Operator", "Customer"), (Role.AGENT, Role.CUSTOMER)),
        (("Customer", "Operator"), (Role.CUSTOMER, Role.AGENT)),
        (("Anna", "customer"), (Role.AGENT, Role.CUSTOMER)),
        (("Anna", "agent"), (Role.CUSTOMER, Role.AGENT)),
        (("Customer support", "Anna"), (Role.AGENT, Role.CUSTOMER)),
        (("клиент", "менеджер"), (Role.CUSTOMER, Role.AGENT)),
    ],
)
def test_whom_the_labels_call_agent_is_the_agent(labels: tuple[str, str], expected: tuple[Role, Role]) -> None:
    messages = tuple(Message("some words", role=label) for label in labels)
    assert tuple(roles(to_transcript(Chat(messages)))) == expected


def test_names_alone_leave_it_to_what_is_said_who_is_the_agent() -> None:
    messages = (Message("where is my order", role="Anna"), Message("how can I help you", role="Boris"))
    transcript = to_transcript(Chat(messages))
    assert {segment.channel for segment in transcript.segments} == {0}
    assert roles(transcript) == [Role.CUSTOMER, Role.AGENT]


def test_a_chat_has_no_times_and_nobody_listened() -> None:
    transcript = to_transcript(Chat((Message("Operator: hello\nCustomer: hi"),)))
    assert {(s.start_s, s.end_s, s.words, s.confidence) for s in transcript.segments} == {(0.0, 0.0, (), None)}
    assert (transcript.engine, transcript.duration_s, transcript.speech_s) == ("text", 0.0, 0.0)
    assert (transcript.language, transcript.language_probability) == (None, None)


def test_half_a_character_does_no_harm() -> None:
    chat = Chat((Message("a \ud83d b", role="\ud83d"),))
    assert chats.from_json(chats.to_json(chat)) == chat
    assert transcripts.from_json(transcripts.to_json(to_transcript(chat))).text == "a ? b"


@pytest.mark.parametrize(
    ("chat", "text"),
    [
        (chats.of("Anna: hi\r\n\n  Boris : hello\tyou"), "Anna: hi\r\n\n  Boris : hello\tyou"),
        (chats.of(None, [Message("hi", "Anna", "10:21"), Message("hello", "Boris")]), "[10:21] Anna: hi\nBoris: hello"),
        (chats.of(None, [Message("hi"), Message("7 pm", None, "7"), Message(" a\nb ")]), "hi\n[7] 7 pm\n a\nb "),
        (chats.of("whole", [Message("a", "x"), Message("b")]), "whole\n\nx: a\nb"),
        (chats.of("whole", ()), "whole"),
        (chats.of("half \ud83d", ()), "half ?"),
    ],
)
def test_T_A20_what_was_sent_can_be_read_as_it_came(chat: Chat, text: str) -> None:
    assert chat.text == text
    assert chats.from_json(chats.to_json(chat)).text == text


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_T_A20_what_a_chat_takes_in_an_answer_is_counted_with_all_escapes(text: str) -> None:
    body = json.dumps(text, ensure_ascii=False)
    assert chats.of(text).answer_bytes == len(json.dumps(body, ensure_ascii=False).encode())


@pytest.mark.parametrize("unseen", ["", " \n", "\u200b", "\x00\u200b", "\ufeff\u2060\t", "\u3164", "\x7f", "\ud83d"])
def test_T_A20_a_chat_that_shows_nothing_is_empty_and_has_no_turns(unseen: str) -> None:
    chat = chats.of(unseen, [Message(unseen, "Anna"), Message(unseen)])
    assert chat.is_empty
    assert not to_transcript(chat).segments
    assert not chats.of(unseen, [Message("\u200b!")]).is_empty
    assert [text for _, text in turns(Message("hi", "Anna"), Message(unseen, "Boris"))] == ["hi"]


def test_that_a_long_chat_shows_nothing_is_seen_in_time() -> None:
    started_s = time.process_time()
    for unseen in ("\u200b", "\x00", "\u0301"):
        assert chats.of(unseen * 1_000_000).is_empty
    all_unseen = "".join(c for c in map(chr, range(sys.maxunicode + 1)) if is_blank(c))
    assert len(all_unseen) > 2_000
    assert not chats.of(None, [*[Message(all_unseen)] * 1_000, Message("hello")]).is_empty
    assert time.process_time() - started_s < 10


messages = st.builds(Message, st.text(), st.none() | st.text(max_size=8), st.none() | st.text(max_size=8))


@given(st.lists(messages, max_size=6).map(tuple))
def test_every_chat_comes_back_and_is_a_transcript_that_leaves_no_word_out(found: tuple[Message, ...]) -> None:
    chat = Chat(found, text_first=len(found) > 1)
    assert chats.from_json(chats.to_json(chat)) == chat
    transcript = to_transcript(chat)
    assert transcripts.from_json(transcripts.to_json(transcript)) == transcript
    assert not (chat.is_empty and transcript.segments)
    with_role = [
        message.text.strip() for message in found if message.role is not None and not is_blank(one_line(message.text))
    ]
    texts = [segment.text for segment in transcript.segments]
    assert all(text.encode("utf-8", "replace").decode() in texts for text in with_role)


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"messages": [1]}', b'{"messages": [{"words": "x"}]}', b"x"])
def test_what_is_no_chat_is_not_taken_for_one(body: bytes) -> None:
    with pytest.raises(ValueError, match="not a chat"):
        chats.from_json(body)


MEGABYTE = 1_000_000
PIECES = [*"*- >[1:(a\t", "1:", "* ", "- >*", "[1", "T1", "a ", "a*", "*:", "[10:21] ", "A: b"]


def seconds(text: str) -> float:
    """What it takes to split it, at the best of three times: others use the machine, too."""

    def once() -> float:
        started_s = time.process_time()
        split(text)
        return time.process_time() - started_s

    return min(once() for _ in range(3))


@pytest.mark.parametrize("width", [1, 5, 100, 1_000, MEGABYTE])
@pytest.mark.parametrize("piece", PIECES)
def test_T_16_a_megabyte_of_anything_is_split_at_once(piece: str, width: int) -> None:
    line = (piece * width)[:width] + "\n"
    # What grows with the square of the length takes minutes; a busy machine takes a second.
    assert seconds(line * (MEGABYTE // len(line) or 1)) < 3


def test_T_16_a_chat_of_very_many_turns_is_one_turn_for_each_message() -> None:
    text = "A:b\n" * 100_000
    transcript = to_transcript(chats.of(text, [Message("hi", "operator")]))
    assert [(segment.speaker, segment.text) for segment in transcript.segments] == [(None, text), ("0", "hi")]
