"""Who is the agent: by channel, by what is known of the call, by what is said."""

import random
from collections import defaultdict
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callscribe.domain import role_cues
from callscribe.domain.call_facts import NOTHING_KNOWN, CallFacts, Direction
from callscribe.domain.roles import Role, Roles, assign
from callscribe.domain.transcripts import Segment, Transcript
from tests.domain.dialogues import CALLS, HEARD_BADLY, INBOUND, OUTBOUND, UNSEEN, Dialogue
from tests.exports.samples import segment, transcript

KNOWN = (NOTHING_KNOWN, INBOUND, OUTBOUND, CallFacts(agent_channel=1), CallFacts(None, None, "Ann", "Acme"))
ALL = (*CALLS, *HEARD_BADLY, *UNSEEN)


def found(roles: Roles, given_: Transcript) -> list[Role]:
    return [roles.of(entry) for entry in given_.segments]


def is_right(dialogue: Dialogue, roles: Roles, given_: Transcript) -> bool:
    agent = dialogue.number("A")
    return all(
        (role is Role.AGENT) == (s.speaker == agent)
        for role, s in zip(found(roles, given_), given_.segments, strict=True)
    )


def direction_of(dialogue: Dialogue) -> CallFacts:
    return CallFacts(direction=dialogue.direction)


def mono(*said: tuple[str | None, str]) -> Transcript:
    entries = [
        replace(segment(text, 3.0 * n, 3.0 * n + 2.5), speaker=speaker, channel=0)
        for n, (speaker, text) in enumerate(said)
    ]
    return transcript(*entries)


def heard_worse(given_: Transcript, error_rate: float, seed: int) -> Transcript:
    """No case, no punctuation; of the words to be spoilt a fifth is lost and the rest replaced by others' words."""
    chance = random.Random(seed)
    others = [word for dialogue in ALL for _, text in dialogue.lines for word in role_cues.plain(text).split()]

    def spoil(entry: Segment) -> Segment:
        kept = []
        for word in role_cues.plain(entry.text).split():
            luck = chance.random()
            if luck >= error_rate / 5:
                kept.append(chance.choice(others) if luck < error_rate else word)
        return replace(entry, text=" ".join(kept), words=())

    return replace(given_, segments=tuple(spoil(entry) for entry in given_.segments))


@pytest.mark.parametrize("dialogue", [*CALLS, *HEARD_BADLY], ids=lambda dialogue: dialogue.name)
@pytest.mark.parametrize("direction_known", [False, True])
def test_the_agent_is_found_in(dialogue: Dialogue, direction_known: bool) -> None:
    given_ = dialogue.transcript()
    roles = assign(given_, direction_of(dialogue) if direction_known else NOTHING_KNOWN)
    assert is_right(dialogue, roles, given_)
    assert roles.confidence >= 0.75


def test_of_the_calls_that_no_cue_was_weighed_for_at_most_one_is_wrong_and_not_confidently() -> None:
    for facts in (lambda _: NOTHING_KNOWN, direction_of):
        judged = [(assign(d.transcript(), facts(d)), d) for d in UNSEEN]
        wrong = [roles.confidence for roles, d in judged if not is_right(d, roles, d.transcript())]
        assert len(wrong) <= 1
        assert all(confidence < 0.75 for confidence in wrong)


@pytest.mark.parametrize("error_rate", [0.0, 0.3, 0.6])
def test_a_confidence_promises_no_more_than_it_keeps(error_rate: float) -> None:
    right: dict[int, list[bool]] = defaultdict(list)
    promised: dict[int, list[float]] = defaultdict(list)
    for dialogue in ALL:
        for first in (2, 3, 4, 6, None):  # the beginnings of calls are calls too, with less to go by
            for seed in range(6):
                given_ = heard_worse(dialogue.transcript(first), error_rate, seed)
                roles = assign(given_, NOTHING_KNOWN)
                tenth = int(roles.confidence * 10)
                right[tenth].append(is_right(dialogue, roles, given_))
                promised[tenth].append(roles.confidence)
    for tenth in right:
        if tenth >= 7:
            share = sum(right[tenth]) / len(right[tenth])
            assert share >= sum(promised[tenth]) / len(promised[tenth]) - 0.03
    confident = [good for tenth in (8, 9) for good in right[tenth]]
    assert sum(confident) / len(confident) >= 0.95
    assert len(confident) >= 100


def test_the_channel_map_is_certain_whatever_is_said() -> None:
    given_ = transcript(segment("how can i help you", 0, 2, "0"), segment("my order is late", 2, 4, "1"))
    for agent_channel in (0, 1):
        roles = assign(given_, CallFacts(agent_channel=agent_channel, direction=Direction.INBOUND))
        assert (roles.confidence, roles.source) == (1.0, "channel")
        assert [roles.of(entry) is Role.AGENT for entry in given_.segments] == [agent_channel == 0, agent_channel == 1]


@pytest.mark.parametrize("speaks", [0, 1])
@pytest.mark.parametrize("agent_channel", [0, 1])
def test_the_channel_map_holds_where_one_side_of_two_says_nothing(speaks: int, agent_channel: int) -> None:
    given_ = transcript(replace(segment("hello, is anybody there?", 0.0, 2.0), channel=speaks, speaker=str(speaks)))
    roles = assign(given_, CallFacts(agent_channel=agent_channel), channels=2)
    assert found(roles, given_) == [Role.AGENT if speaks == agent_channel else Role.CUSTOMER]
    assert (roles.confidence, roles.source) == (1.0, "channel")
    assert assign(transcript(), CallFacts(agent_channel=agent_channel), channels=2).source == "evidence"


def test_the_channel_map_says_nothing_about_a_recording_with_one_channel() -> None:
    given_ = mono(("0", "hello, i have a problem with my order"), ("1", "i'm sorry to hear that, how can i help?"))
    roles = assign(given_, CallFacts(agent_channel=0))
    assert found(roles, given_) == [Role.CUSTOMER, Role.AGENT]
    assert roles.source == "evidence"


@pytest.mark.parametrize(("direction", "first"), [("inbound", Role.AGENT), ("outbound", Role.CUSTOMER)])
def test_whoever_is_called_answers_first_where_nothing_else_is_known(direction: str, first: Role) -> None:
    given_ = mono(("0", "wunderbar"), ("1", "jawohl"))
    roles = assign(given_, CallFacts(direction=Direction(direction)))
    assert found(roles, given_)[0] is first
    assert roles.source == "metadata"
    assert 0.5 < roles.confidence < 0.75  # not enough to print it


@pytest.mark.parametrize("company", ["acme telecom", "acne telecon", "acmetelecom"])
def test_the_companys_name_counts_for_whoever_speaks_for_it_even_half_heard(company: str) -> None:
    given_ = mono(("0", f"yes this is about the letter from {company}"), ("1", f"{company} good morning"))
    roles = assign(given_, CallFacts(company_name="Acme Telecom"))
    assert found(roles, given_) == [Role.CUSTOMER, Role.AGENT]
    assert roles.source == "metadata"
    assert found(assign(given_, NOTHING_KNOWN), given_) != found(roles, given_)


def test_the_agents_name_counts_for_whoever_bears_it_and_against_whoever_says_hello_to_it() -> None:
    given_ = mono(("0", "hello marisol"), ("1", "its marisol"))
    roles = assign(given_, CallFacts(agent_name="Marisol Vega"))
    assert found(roles, given_) == [Role.CUSTOMER, Role.AGENT]
    assert roles.confidence > 0.9


@pytest.mark.parametrize("direction", [None, *Direction])
@pytest.mark.parametrize(
    "opening",
    [
        "Hello, this is an AI assistant calling about your recent inquiry.",
        "this is an a i assistant calling about your enquiry",
    ],
)
def test_A_A6_a_machine_that_calls_is_the_agent_whoever_called(opening: str, direction: Direction | None) -> None:
    for given_ in (mono(("0", opening), ("1", "Yes, hi.")), mono(("0", "Hello?"), ("1", opening), ("0", "Okay."))):
        roles = assign(given_, CallFacts(direction=direction))
        assert [entry.text == opening for entry in given_.segments] == [r is Role.AGENT for r in found(roles, given_)]
        assert roles.confidence >= 0.75


@pytest.mark.parametrize("dialogue", [*CALLS, *HEARD_BADLY], ids=lambda dialogue: dialogue.name)
def test_case_and_punctuation_change_nothing(dialogue: Dialogue) -> None:
    given_ = dialogue.transcript()
    bare = heard_worse(given_, 0.0, 0)
    assert assign(bare, NOTHING_KNOWN) == assign(given_, NOTHING_KNOWN)


@pytest.mark.parametrize(
    ("text", "role"),
    [
        ("thank you for calling, our office is closed, this call may be recorded", Role.AGENT),
        ("hi, i'm calling about my order, i need a refund", Role.CUSTOMER),
        ("lorem ipsum", Role.CUSTOMER),
    ],
)
def test_one_voice_alone_is_judged_by_its_own_words(text: str, role: Role) -> None:
    given_ = mono(("0", text))
    roles = assign(given_, NOTHING_KNOWN)
    assert found(roles, given_) == [role]
    assert (roles.confidence == 0.5) == (text == "lorem ipsum")


def test_an_agent_who_takes_over_is_an_agent_and_the_wife_in_the_background_a_customer() -> None:
    given_ = mono(
        ("0", "Thank you for calling Bluebird Travel, how can I help?"),
        ("1", "Hi, I need to change my flight."),
        ("2", "Ask them about the luggage."),
        ("1", "Right, my wife says we also have a problem with the luggage."),
        ("0", "I'm sorry about that. I'll transfer you to a specialist, one moment."),
        ("3", "Hello, this is Gina from flight changes. May I have your booking number?"),
        ("1", "It's K L four."),
    )
    roles = assign(given_, NOTHING_KNOWN)
    agent, customer = Role.AGENT, Role.CUSTOMER
    assert found(roles, given_) == [agent, customer, customer, customer, agent, agent, customer]
    assert roles.confidence >= 0.75


@pytest.mark.parametrize("call", KNOWN)
@pytest.mark.parametrize("swapped", [False, True])
def test_an_empty_transcript_has_roles_for_nobody(call: CallFacts, swapped: bool) -> None:
    assert assign(transcript(), call, swapped=swapped).agents == frozenset()


def test_words_of_nobody_in_particular_are_a_guess() -> None:
    given_ = mono((None, "thank you for calling how can i help you hi i need a refund"))
    assert assign(given_, NOTHING_KNOWN).confidence == 0.5
    known = mono(("0", "thank you for calling how can i help you"), ("1", "i need a refund"), (None, "mm"))
    assert found(assign(known, NOTHING_KNOWN), known)[:2] == [Role.AGENT, Role.CUSTOMER]


@pytest.mark.parametrize("dialogue", ALL, ids=lambda dialogue: dialogue.name)
def test_a_swap_exchanges_every_role_and_is_a_persons_word(dialogue: Dialogue) -> None:
    given_ = dialogue.transcript()
    before, after = assign(given_, NOTHING_KNOWN), assign(given_, NOTHING_KNOWN, swapped=True)
    assert all(a is not b for a, b in zip(found(before, given_), found(after, given_), strict=True))
    assert (after.confidence, after.source) == (1.0, "person")


VOICES = st.tuples(st.integers(0, 1), st.none() | st.sampled_from("0123"))
LINES = st.sampled_from([text for dialogue in ALL for _, text in dialogue.lines]) | st.text(max_size=40)
SPOKEN = st.lists(st.tuples(VOICES, LINES), max_size=12)


@given(SPOKEN, st.sampled_from(KNOWN))
def test_any_transcript_gets_roles_that_keep_their_promises(
    said: list[tuple[tuple[int, str | None], str]], call: CallFacts
) -> None:
    given_ = transcript(
        *(
            replace(segment(text, n, n + 1), channel=channel, speaker=speaker)
            for n, ((channel, speaker), text) in enumerate(said)
        )
    )
    roles = assign(given_, call)
    assert assign(given_, call) == roles
    assert 0.5 <= roles.confidence <= 1
    assert (roles.confidence == 1) == (roles.source == "channel")
    assert roles.agents <= {voice for voice, _ in said}


def test_every_phrase_of_the_tables_can_be_read_and_pulls_somewhere() -> None:
    cues = (*role_cues.cues(), *role_cues.name_cues())
    assert len({cue.pattern.pattern for cue in cues}) == len(cues)
    assert all(cue.weight and not cue.pattern.search("") for cue in cues)
    assert not [cue for cue in cues if "<" in cue.pattern.pattern.replace("(?<", "")]


@given(st.text(max_size=60))
def test_plain_text_is_words_and_single_spaces(text: str) -> None:
    assert role_cues.plain(role_cues.plain(text)) == role_cues.plain(text)
    assert "  " not in role_cues.plain(text)


@pytest.mark.parametrize(
    ("text", "name", "marked"),
    [
        ("hi this is ana", "Ana", "hi this is X"),
        ("hi this is anna", "Ana", "hi this is anna"),  # too short to guess
        ("blue bird travel how", "Bluebird Travel", "X how"),
        ("bluebirt travel how", "Bluebird Travel", "X how"),
        ("its marisol here", "Marisol", "its X here"),
        ("", "Bluebird", ""),
        ("anything", "…", "anything"),
    ],
)
def test_a_name_is_marked_where_it_was_heard_well_enough(text: str, name: str, marked: str) -> None:
    assert role_cues.mark(text, name, "X") == marked
