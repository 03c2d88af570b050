"""Greedy decoding of many recordings at once: CTC, and transducers that predict durations (TDT).

`generate` of transformers finds the same tokens, but gives no probabilities, and runs its general machinery around
every step, with the device idle meanwhile. Here a step is a few operations on buffers that stay where they are,
nothing is read back before several steps are done, and a CUDA device can replay the steps as a graph.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch

Tensor = Any  # torch is not installed where types are checked
Model = Any  # a ParakeetForTDT of transformers
_STEPS_BETWEEN_LOOKS = 8  # whether all are done is asked so seldom, as the answer makes the device wait


@dataclass(frozen=True, slots=True)
class Emission:
    """A token, the encoder frames it stands at (the last one exclusive), and its probability, 0 to 1."""

    token: int
    first_frame: int
    end_frame: int
    probability: float


Emissions = tuple[Emission, ...]


def decode_ctc(logits: Tensor, lengths: Tensor, blank: int) -> list[Emissions]:
    """What each recording says; logits of shape (batch, frames, tokens), `lengths` in frames."""
    best = logits.float().log_softmax(dim=-1).max(dim=-1)
    tokens, probabilities, counts = best.indices.tolist(), best.values.exp().tolist(), lengths.tolist()
    return [
        tuple(_merged(zip(row[:count], chances[:count], strict=True), blank))
        for row, chances, count in zip(tokens, probabilities, counts, strict=True)
    ]


def _merged(frames: Iterable[tuple[int, float]], blank: int) -> Iterator[Emission]:
    """The tokens of one recording; one that stands in several frames in a row is one emission."""
    for token, group in groupby(enumerate(frames), key=lambda numbered: numbered[1][0]):
        found = list(group)
        if token != blank:
            chances = [probability for _, (_, probability) in found]
            yield Emission(token, found[0][0], found[-1][0] + 1, min(1.0, sum(chances) / len(chances)))


class TransducerSearch:
    """A greedy search by a TDT model over at most `rows` recordings of at most `frames` encoder frames.

    `graphed`: steps are replayed as a CUDA graph. For one thread at a time.
    """

    def __init__(self, model: Model, rows: int, frames: int, *, graphed: bool = False) -> None:
        config = model.config
        self._model, self._blank, self._vocabulary = model, config.blank_token_id, config.vocab_size
        self._most_at_once = config.max_symbols_per_step
        weight = model.joint.head.weight
        self._durations = torch.tensor(tuple(config.durations), device=weight.device)
        self._rows = torch.arange(rows, device=weight.device)
        self._encoded = weight.new_zeros(rows, frames, config.decoder_hidden_size)
        self._predicted = weight.new_zeros(rows, config.decoder_hidden_size)
        self._hidden = weight.new_zeros(config.num_decoder_layers, rows, config.decoder_hidden_size)
        self._cell = torch.zeros_like(self._hidden)
        self._lengths, self._frame, self._at_once = (torch.zeros_like(self._rows) for _ in range(3))
        # Every step moves on by a frame, or emits a token, of which so many may stand in one frame.
        steps = frames * (self._most_at_once + 1) + _STEPS_BETWEEN_LOOKS
        self._found = torch.zeros(steps, 4, rows, dtype=torch.float64, device=weight.device)
        self._step_number = torch.zeros(1, dtype=torch.long, device=weight.device)
        self._advance: Callable[[], None] = _graph_of(self._steps, self._begin) if graphed else self._steps

    def __call__(self, encoded: Tensor, lengths: Tensor) -> list[Emissions]:
        """What each recording says; `encoded` of shape (batch, frames, width), `lengths` in frames."""
        batch, frames = encoded.shape[:2]
        self._begin()
        self._encoded[:batch, :frames].copy_(encoded)
        self._lengths[:batch].copy_(lengths)
        while True:
            self._advance()
            if bool((self._frame >= self._lengths).all()):
                return [_emissions(row) for row in self._results(batch)]

    def _results(self, batch: int) -> list[list[list[float]]]:
        found: list[list[list[float]]] = self._found[: int(self._step_number)].permute(2, 0, 1)[:batch].tolist()
        return found

    def _begin(self) -> None:
        for buffer in (self._lengths, self._frame, self._at_once, self._hidden, self._cell, self._step_number):
            buffer.zero_()
        self._predict(torch.full_like(self._rows, self._blank), torch.ones_like(self._rows, dtype=torch.bool))

    def _steps(self) -> None:
        for _ in range(_STEPS_BETWEEN_LOOKS):
            self._step()

    def _step(self) -> None:
        """One token or blank for every recording, and as many frames on as the model says."""
        at = self._encoded[self._rows, self._frame.clamp(max=self._encoded.shape[1] - 1)]
        logits = self._model.joint(encoder_hidden_states=at, decoder_hidden_states=self._predicted)
        best = logits[:, : self._vocabulary].float().log_softmax(dim=-1).max(dim=-1)
        durations = self._durations[logits[:, self._vocabulary :].argmax(dim=-1)]
        says = (best.indices != self._blank) & (self._frame < self._lengths)
        # A blank moves on, and so does a recording that has emitted too much in one frame.
        stays = says & (durations == 0)
        self._at_once.copy_((self._at_once + 1) * stays)
        stuck = self._at_once >= self._most_at_once
        on = torch.where(stays & ~stuck, durations, durations.clamp(min=1))
        self._at_once.mul_(~stuck)
        self._note(
            torch.stack([torch.where(says, best.indices, -1), self._frame, self._frame + durations]), best.values
        )
        self._frame.add_(on)
        self._predict(best.indices, says)

    def _note(self, whole: Tensor, log_probabilities: Tensor) -> None:
        row = torch.cat([whole.double(), log_probabilities.double().exp()[None]])
        self._found.index_copy_(0, self._step_number, row[None])
        self._step_number.add_(1)

    def _predict(self, tokens: Tensor, changed: Tensor) -> None:
        """Let the prediction network read the tokens, of those recordings only that have `changed`."""
        decoder = self._model.decoder
        output, (hidden, cell) = decoder.lstm(decoder.embedding(tokens)[:, None], (self._hidden, self._cell))
        predicted = decoder.decoder_projector(output)[:, 0]
        self._predicted.copy_(torch.where(changed[:, None], predicted, self._predicted))
        self._hidden.copy_(torch.where(changed[None, :, None], hidden, self._hidden))
        self._cell.copy_(torch.where(changed[None, :, None], cell, self._cell))


def _emissions(steps: Sequence[Sequence[float]]) -> Emissions:
    return tuple(
        Emission(int(token), int(first), max(int(end), int(first) + 1), min(1.0, probability))
        for token, first, end, probability in steps
        if token >= 0
    )


def _graph_of(steps: Callable[[], None], begin: Callable[[], None]) -> Callable[[], None]:
    """The same steps as a CUDA graph: launched at once, in place of some hundred kernels one by one."""
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):  # libraries allocate what they need in the first calls, which no graph may hold
        begin()
        steps()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        steps()
    replay: Callable[[], None] = graph.replay
    return replay
