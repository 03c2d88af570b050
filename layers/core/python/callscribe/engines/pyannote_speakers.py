"""Speakers of a mono recording told apart by pyannote.audio: any number of them, with weights the operator supplies."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from callscribe.engines.base import SAMPLE_RATE_HZ, Diarizer, Samples
from callscribe.engines.pyannote_files import Pipeline, load_pipeline
from callscribe.engines.voices import BlockDiarizer, Judge, Judged, Turn


def create(model_dir: Path | None = None) -> Callable[[], Diarizer]:
    """What makes a diarizer for each recording; all of them share the model, which is loaded now.

    Raises Invalid for a directory without it.
    """
    judge = judge_of(load_pipeline(model_dir))
    return lambda: BlockDiarizer(judge)


def judge_of(pipeline: Pipeline) -> Judge:
    """A judge by a pipeline, which several threads may ask; one at a time is answered."""
    one_at_a_time = threading.Lock()

    def judge(samples: Samples) -> Judged:
        with one_at_a_time:
            heard = pipeline({"waveform": torch.from_numpy(samples)[None], "sample_rate": SAMPLE_RATE_HZ})
        return judged_of(heard)

    return judge


def judged_of(heard: Any) -> Judged:
    """What a pipeline's answer says; of speech that overlaps, the turns without overlap."""
    labels = heard.speaker_diarization.labels()  # the voices are in their order
    turns = tuple(
        Turn(float(segment.start), float(segment.end), labels.index(label))
        for segment, _, label in heard.exclusive_speaker_diarization.itertracks(yield_label=True)
    )
    return Judged(turns, np.asarray(heard.speaker_embeddings, np.float64))
