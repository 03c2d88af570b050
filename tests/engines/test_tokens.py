from callscribe.engines.tokens import Token, text_of, words_of


def test_a_word_ends_when_the_model_says_that_its_last_letter_does_but_not_after_the_next_begins() -> None:
    words = words_of([Token(" a", 0.0, 1.0, 0.08), Token("b", 0.4, 1.0, 2.0), Token(" c", 1.0, 1.0, 1.08)], 5.0)
    assert [(word.text, word.start_s, word.end_s) for word in words] == [("ab", 0.0, 1.0), ("c", 1.0, 1.08)]


def test_a_mark_does_not_make_the_word_before_it_longer() -> None:
    (word,) = words_of([Token(" a", 0.0, 1.0, 0.24), Token(".", 1.6, 1.0, 1.68)], 5.0)
    assert (word.text, word.end_s) == ("a.", 0.24)


def test_the_line_of_words_has_a_space_between_them() -> None:
    assert text_of(words_of([Token(" a", 0.0, 1.0), Token(" b", 1.0, 1.0)], 5.0)) == "a b"
