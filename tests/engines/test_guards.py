import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callscribe.domain.transcripts import Word
from callscribe.engines import guards
from callscribe.engines.guards import Signs

SURE = Signs(no_speech=0.01, log_probability=-0.2)
SPEECH = "Good morning, you have reached the support line. How can I help you today? My order has not come yet."


def said(text: str, *, word_s: float = 0.3) -> tuple[Word, ...]:
    return tuple(Word(word, at * 0.3, at * 0.3 + word_s, 0.9) for at, word in enumerate(text.split()))


def text_of(words: tuple[Word, ...]) -> str:
    return " ".join(word.text for word in words)


# What is left of a text that a recogniser invented, in whole or in part.
BAD = {
    "one word for half a minute": ("you " * 40, "you"),
    "two words": ("Thank you. " * 12, "Thank you."),
    "three words": ("I don't know. " * 8, "I don't know."),
    "a sentence": ("I'm going to go to the bathroom. " * 5, "I'm going to go to the bathroom."),
    "a loop after real words": ("My name is Ann and " + "and then " * 10, "My name is Ann and and then"),
    "a loop before real words": ("okay " * 9 + "my number is four two", "okay my number is four two"),
    "a loop in another case": ("No. no, NO no! no No no no", "No."),
    "one letter": ("aaaaaaaaaaaaaaaaaaaa", ""),
    "syllables": ("hahahahahahahahahahaha that was good", "that was good"),
    "letters within a word": ("yes Ohhhhhhhhhhhhhh no", "yes no"),
    "one Japanese letter": ("ああああああああああああ", ""),
    "thanks to the watchers": ("Thank you for watching!", ""),
    "thanks after real words": ("Goodbye then. Thanks for watching.", "Goodbye then."),
    "a plea": ("Please subscribe to my channel.", ""),
    "French credits": ("Sous-titres réalisés par la communauté d'Amara.org", ""),
    "German credits": ("Untertitel im Auftrag des ZDF", ""),
    "Spanish credits": ("Subtítulos realizados por la comunidad de Amara.org", ""),
    "Russian credits": ("Субтитры сделал DimaTorzok", ""),
    "Russian, to be continued": ("Продолжение следует...", ""),
    "Japanese thanks": ("ご視聴ありがとうございました", ""),
    "Korean thanks": ("시청해 주셔서 감사합니다.", ""),
}

# What people do say.
GOOD = [
    SPEECH,
    "Thank you.",
    "Thank you, bye.",
    "No, no, no, no, no.",
    "Yes yes yes, of course, of course, of course.",
    "0 0 0 0 0 0 0 0 0 0 9",
    "4 2 4 2 4 2 4 2",
    "My card is 4111111111111111 and the rest is 00000000000.",
    "Hmmm. Mm-hmm.",
    "I was watching it, thank you for watching out for me.",
    "Do I have to subscribe to get it? Please subscribe me then.",
    "Mississippi, banana, hahaha.",
    "Спасибо, до свидания.",
]


@pytest.mark.parametrize("name", BAD)
def test_invented_text_goes_and_what_was_said_around_it_stays(name: str) -> None:
    text, left = BAD[name]
    assert text_of(guards.clean(said(text))) == left


@pytest.mark.parametrize("text", GOOD)
def test_what_people_do_say_stays_word_for_word(text: str) -> None:
    assert guards.clean(said(text)) == said(text)


@given(st.lists(st.sampled_from(["yes", "no", "the", "a", "7", "ha.", "thank", "you", "watching!"]), max_size=40))
def test_the_guards_only_ever_take_words_away_and_in_order(texts: list[str]) -> None:
    words = said(" ".join(texts))
    kept = iter(words)
    assert all(word in kept for word in guards.clean(words))


@given(st.lists(st.sampled_from(["yes", "no", "the", "thank", "you"]), max_size=40))
def test_what_is_clean_is_left_as_it_is(texts: list[str]) -> None:
    once = guards.clean(said(" ".join(texts)))
    assert guards.without_stutters(once) == once
    assert set(guards.without_loops(once)) <= set(once)


def test_words_that_take_no_time_were_not_said() -> None:
    assert guards.clean(said("I was never said.", word_s=0.0)) == ()
    assert guards.clean(said("Yes.", word_s=0.0)) == ()
    assert guards.clean(()) == ()


def test_a_sentence_that_takes_no_time_goes_and_its_neighbours_stay() -> None:
    spoken, invented = said("We will call you back."), said("See you next time.", word_s=0.0)
    assert guards.clean((*spoken, *invented)) == spoken
    short = said("Yes indeed.", word_s=0.0)
    assert guards.clean((*spoken, *short)) == (*spoken, *short)


def test_a_sentence_with_some_words_of_no_time_stays() -> None:
    words = (*said("We will"), *said("call you.", word_s=0.0))
    assert guards.clean(words) == words


@pytest.mark.parametrize(
    ("no_speech", "log_probability", "silence"),
    [(0.9, -1.5, True), (0.9, -0.3, False), (0.3, -1.5, False), (0.6, -1.5, False), (0.61, -1.01, True)],
)
def test_silence_needs_both_signs(no_speech: float, log_probability: float, *, silence: bool) -> None:
    assert guards.is_silence(Signs(no_speech, log_probability)) is silence


@pytest.mark.parametrize(
    ("text", "signs", "doubtful"),
    [
        (SPEECH, SURE, False),
        (SPEECH, Signs(0.01, -1.2), True),
        ("and then " * 30, SURE, True),
        ("", SURE, False),
        ("Thank you.", SURE, False),
    ],
)
def test_improbable_and_repetitive_text_is_doubtful(text: str, signs: Signs, *, doubtful: bool) -> None:
    assert guards.is_doubtful(text, signs) is doubtful


def test_a_text_that_repeats_itself_in_no_simple_way_goes_as_a_whole() -> None:
    random = np.random.default_rng(5)
    text = " ".join("abcabcabd"[number] * 3 for number in random.integers(0, 9, 150))
    assert guards.is_repetitive(text)
    assert guards.clean(said(text)) == ()


def test_sentences_end_at_their_marks() -> None:
    ends = ["Hello.", "Really?!", '"Yes."', "はい。", "and more"]
    assert [text_of(sentence) for sentence in guards.sentences(said(" ".join(ends)))] == ends
