import pytest
import torch

from callscribe.engines.greedy import Emission, TransducerSearch, decode_ctc
from tests.engines.torch.random_parakeet import BLANK, PIECES, random_parakeet

pytestmark = pytest.mark.torch
FRAMES = 12


def logits_of(*tokens: int, certainty: float = 20.0) -> torch.Tensor:
    logits = torch.zeros(1, len(tokens), 5)
    for frame, token in enumerate(tokens):
        logits[0, frame, token] = certainty
    return logits


def found_by_ctc(*tokens: int, length: int | None = None) -> list[tuple[int, int, int]]:
    (row,) = decode_ctc(logits_of(*tokens), torch.tensor([length or len(tokens)]), blank=4)
    return [(one.token, one.first_frame, one.end_frame) for one in row]


def test_ctc_takes_a_token_in_neighbouring_frames_for_one_and_a_blank_between_for_two() -> None:
    assert found_by_ctc(4, 2, 2, 2, 4, 2, 1, 4) == [(2, 1, 4), (2, 5, 6), (1, 6, 7)]


def test_ctc_hears_nothing_in_the_padding() -> None:
    assert found_by_ctc(4, 2, 4, 3, 3, length=3) == [(2, 1, 2)]
    assert found_by_ctc(4, 4) == []


def test_the_probability_of_a_ctc_token_is_the_mean_over_its_frames() -> None:
    logits = logits_of(2, 2, certainty=0.0)
    logits[0, 0, 2], logits[0, 1, 2] = 1.0, 2.0
    expected = logits.softmax(dim=-1)[0, :, 2].mean()
    ((one,),) = decode_ctc(logits, torch.tensor([2]), blank=4)
    assert one.probability == pytest.approx(float(expected), abs=1e-6)


def always(token: int, duration: int) -> TransducerSearch:
    """A search by a model that says the same at every step."""
    model = random_parakeet("tdt", seed=1)
    with torch.inference_mode():
        model.joint.head.weight.zero_()
        model.joint.head.bias.zero_()
        model.joint.head.bias[token] = 30.0
        model.joint.head.bias[len(PIECES) + duration] = 30.0
        return TransducerSearch(model, 3, FRAMES)


def found_by(search: TransducerSearch, *lengths: int) -> list[tuple[Emission, ...]]:
    with torch.inference_mode():
        return search(torch.randn(len(lengths), FRAMES, 24), torch.tensor(lengths))


def test_a_transducer_moves_on_by_the_durations_it_says_within_each_recordings_own_length() -> None:
    rows = found_by(always(7, 3), 12, 4, 1)
    assert [[one.first_frame for one in row] for row in rows] == [[0, 3, 6, 9], [0, 3], [0]]
    assert {one.end_frame - one.first_frame for row in rows for one in row} == {3}
    assert {one.token for row in rows for one in row} == {7}
    assert all(one.probability == pytest.approx(1.0) for row in rows for one in row)


def test_a_transducer_that_never_moves_on_is_moved_after_so_many_tokens_in_a_frame() -> None:
    (row,) = found_by(always(7, 0), 12)
    most = random_parakeet("tdt", seed=1).config.max_symbols_per_step
    assert [one.first_frame for one in row] == [frame for frame in range(12) for _ in range(most)]
    assert {one.end_frame - one.first_frame for one in row} == {1}


def test_a_blank_moves_on_by_one_frame_at_least_and_is_no_token() -> None:
    assert found_by(always(BLANK, 0), 12, 5) == [(), ()]


def test_a_search_remembers_nothing_of_the_recordings_before() -> None:
    with torch.inference_mode():
        search = TransducerSearch(random_parakeet("tdt", seed=4), 3, FRAMES)
        first, second = (torch.randn(3, FRAMES, 24) for _ in range(2))
        lengths = torch.tensor([12, 9, 4])
        expected = search(first, lengths)
        search(second, lengths)
        assert search(first, lengths) == expected
        assert search(first[:1], lengths[:1]) == expected[:1]
    assert any(expected)
