"""Guards against what a generating recogniser invents: words for silence, loops, and the end credits of videos.

Pure functions over text, words and what the decoder says about itself. Voice activity detection stands before them.
"""

import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from callscribe.domain.transcripts import Word


@dataclass(frozen=True, slots=True)
class Signs:
    """What a decoder says about its own output for one chunk.

    `no_speech`: probability that nobody speaks, 0 to 1; `log_probability`: mean over the tokens, natural logarithm.
    """

    no_speech: float
    log_probability: float


# The limits of Whisper's own decoder (the paper's section on long-form transcription); every port keeps them.
_NO_SPEECH = 0.6
_LOG_PROBABILITY = -1.0
_COMPRESSION = 2.4

# How often a phrase of so many words may stand in a row: people say "no" seven times, and digits come in runs.
_MOST_REPEATS = {1: 7, 2: 5}
_MOST_REPEATS_OF_LONGER = 3
_LONGEST_PHRASE = 12  # words
_STUTTER = re.compile(r"([^\W\d_][^\W_]{0,3}?|\w{0,3}[^\W\d_])\1{7,}")  # up to four characters, eight times or more
_SENTENCE_END = re.compile(r"[.!?…。！？]['\"”’)]*$")
_LEAST_TIMELESS = 3  # words; one or two may really be too short for the alignment

# What subtitles of videos end with: a speech model was trained on them, and writes them where it hears nothing.
# Whole sentences only, without case and punctuation; nobody says them on a call.
_CREDITS = frozenset(
    {
        "thank you for watching",
        "thank you so much for watching",
        "thank you very much for watching",
        "thanks for watching",
        "thanks for watching everyone",
        "thank you for watching this video",
        "please subscribe",
        "please subscribe to my channel",
        "please subscribe to our channel",
        "like and subscribe",
        "dont forget to like and subscribe",
        "see you in the next video",
        "ill see you in the next video",
        "transcription by castingwords",
        "vielen dank fürs zuschauen",
        "danke fürs zuschauen",
        "untertitelung des zdf",
        "untertitel im auftrag des zdf",
        "merci davoir regardé cette vidéo",
        "gracias por ver el video",
        "gracias por ver el vídeo",
        "suscríbete al canal",
        "obrigado por assistir",
        "grazie per aver guardato il video",
        "bedankt voor het kijken",
        "спасибо за просмотр",
        "продолжение следует",
        "подписывайтесь на канал",
        "дякую за перегляд",
        "dziękuję za obejrzenie",
        "izlediğiniz için teşekkür ederim",
        "ご視聴ありがとうございました",
        "最後までご視聴いただきありがとうございます",
        "請不吝點贊訂閱轉發打賞支持明鏡與點點欄目",
        "谢谢观看",
        "謝謝觀看",
        "시청해 주셔서 감사합니다",
        "시청해주셔서 감사합니다",
    }
)
_CREDITED = re.compile(r"amara ?org|dimatorzok|^(sub)?titles? by |^subtitled by |^субтитры (сделал|создавал|подогнал)")


def is_silence(signs: Signs) -> bool:
    """Whether the decoder itself takes the chunk for silence and is unsure of the words it wrote all the same."""
    return signs.no_speech > _NO_SPEECH and signs.log_probability < _LOG_PROBABILITY


def is_doubtful(text: str, signs: Signs) -> bool:
    """Whether the text should be decoded once more in another way: too improbable, or too repetitive."""
    return signs.log_probability < _LOG_PROBABILITY or is_repetitive(text)


def is_repetitive(text: str) -> bool:
    """Whether the text compresses better than speech does."""
    raw = text.encode()
    return len(raw) / len(zlib.compress(raw)) > _COMPRESSION


def clean(words: Sequence[Word]) -> tuple[Word, ...]:
    """The words without stutters, loops, end credits and sentences that took no time.

    Nothing at all where no word takes any time, or where what is left still only repeats itself.
    """
    if not any(word.end_s > word.start_s for word in words):
        return ()
    kept = without_loops(without_stutters(words))
    left = tuple(chain.from_iterable(sentence for sentence in sentences(kept) if _is_said(sentence)))
    return () if is_repetitive(" ".join(word.text for word in left)) else left


def without_stutters(words: Sequence[Word]) -> tuple[Word, ...]:
    """The words without those that are the same few letters over and over."""
    return tuple(word for word in words if not _STUTTER.search(word.text.casefold()))


def without_loops(words: Sequence[Word]) -> tuple[Word, ...]:
    """The words with one occurrence in place of a phrase that stands in a row too often."""
    plain = [_plain(word.text) for word in words]
    kept: list[Word] = []
    at = 0
    while at < len(words):
        length, repeats = _loop_at(plain, at)
        kept += words[at : at + length]
        at += length * repeats
    return tuple(kept)


def sentences(words: Sequence[Word]) -> Iterator[tuple[Word, ...]]:
    """The words by sentences; what comes after the last full stop is one too."""
    sentence: list[Word] = []
    for word in words:
        sentence.append(word)
        if _SENTENCE_END.search(word.text):
            yield tuple(sentence)
            sentence = []
    if sentence:
        yield tuple(sentence)


def is_credit(text: str) -> bool:
    """Whether a sentence is one that subtitles of videos end with."""
    plain = _plain(text)
    return plain in _CREDITS or plain.replace(" ", "") in _CREDITS or bool(_CREDITED.search(plain))


def _is_said(sentence: Sequence[Word]) -> bool:
    timeless = len(sentence) >= _LEAST_TIMELESS and all(word.end_s <= word.start_s for word in sentence)
    return not timeless and not is_credit(" ".join(word.text for word in sentence))


def _loop_at(plain: Sequence[str], at: int) -> tuple[int, int]:
    """Length and number of repeats of the loop that begins here; (1, 1) where none does."""
    for length in range(1, min(_LONGEST_PHRASE, (len(plain) - at) // 2) + 1):
        phrase, repeats = plain[at : at + length], 1
        while plain[at + repeats * length : at + (repeats + 1) * length] == phrase:
            repeats += 1
        if repeats > _MOST_REPEATS.get(length, _MOST_REPEATS_OF_LONGER) and not _is_number(phrase):
            return length, repeats
    return 1, 1


def _is_number(phrase: Sequence[str]) -> bool:
    return all(word.isdigit() for word in phrase)


def _plain(text: str) -> str:
    """Without case, punctuation and apostrophes, single spaces."""
    letters = re.sub(r"['’]", "", text.casefold())
    return " ".join(re.sub(r"[^\w\s]", " ", letters).split())
