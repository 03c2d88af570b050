"""Transcripts that the export tests share."""

from callscribe.domain.transcripts import Segment, Transcript, Word


def segment(
    text: str, start_s: float, end_s: float, speaker: str | None = "0", words: tuple[Word, ...] = ()
) -> Segment:
    channel = int(speaker) if speaker and speaker.isascii() and speaker.isdigit() else 0
    return Segment(text, start_s, end_s, channel, speaker, None, words)


def transcript(*segments: Segment) -> Transcript:
    ends = [entry.end_s for entry in segments]
    return Transcript(
        segments=segments,
        language="en",
        language_probability=None,
        engine="pocketsphinx",
        model="en-us",
        duration_s=max(ends, default=0.0),
        speech_s=sum(entry.end_s - entry.start_s for entry in segments),
    )


def spoken(text: str, *, start_s: float, word_s: float = 0.3, speaker: str = "0") -> Segment:
    """A segment whose words follow one another, `word_s` each."""
    texts = text.split()
    words = tuple(
        Word(word, round(start_s + number * word_s, 3), round(start_s + (number + 1) * word_s, 3), 0.9)
        for number, word in enumerate(texts)
    )
    return segment(text, start_s, words[-1].end_s, speaker, words)


CALL = transcript(
    spoken("thank you for calling the parts desk, how can I help?", start_s=0.4),
    spoken("hello, my order has not arrived yet.", start_s=4.1, speaker="1"),
    spoken("oh.", start_s=4.9),
    spoken(
        "I am sorry to hear that. let me look it up for you, it will only take a moment. "
        "could you tell me the number of the order, please? it stands on the first page of the invoice.",
        start_s=7.0,
    ),
    spoken("42", start_s=18.6, speaker="1", word_s=0.2),
    spoken("is that <all>? R&D --> AT&T &amp; co.", start_s=19.0),
    spoken("yes.", start_s=24.0, speaker="1"),
    spoken("really.", start_s=30.0, speaker="1"),
    segment("一二三四五六七八九十一二三四五六七八九十一二三四五六七八九十。我们谈谈吧", 33.0, 43.0, None),
)
