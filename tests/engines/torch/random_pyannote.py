"""pyannote's diarization with random weights, in the files that the real one comes in: it hears voices, but no one's."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from pyannote.audio.core.task import Problem, Resolution, Specifications
from pyannote.audio.models.embedding import XVectorMFCC
from pyannote.audio.models.segmentation import PyanNet

CONFIG = """\
dependencies:
  pyannote.audio: 4.0.0
pipeline:
  name: pyannote.audio.pipelines.SpeakerDiarization
  params:
    clustering: VBxClustering
    segmentation: $model/segmentation
    segmentation_batch_size: 4
    embedding: $model/embedding
    embedding_batch_size: 4
    embedding_exclude_overlap: true
    plda: $model/plda
params:
  clustering:
    threshold: 0.6
    Fa: 0.07
    Fb: 0.8
  segmentation:
    min_duration_off: 0.0
"""
_SEGMENTATION = Specifications(
    problem=Problem.MONO_LABEL_CLASSIFICATION,
    resolution=Resolution.FRAME,
    duration=10.0,
    classes=["speaker#1", "speaker#2", "speaker#3"],
    powerset_max_classes=2,
    permutation_invariant=True,
)
_EMBEDDING = Specifications(
    problem=Problem.REPRESENTATION, resolution=Resolution.CHUNK, duration=5.0, classes=["one", "another"]
)


def write_random_pyannote(folder: Path, *, seed: int = 1) -> Path:
    """Write the five files of a pipeline into the folder and return it."""
    torch.manual_seed(seed)
    lstm = {"hidden_size": 8, "num_layers": 1, "bidirectional": True, "monolithic": True, "dropout": 0.0}
    segmentation = PyanNet(lstm=lstm, linear={"hidden_size": 8, "num_layers": 1})
    segmentation.specifications = _SEGMENTATION
    segmentation.setup()
    for weights in (segmentation.lstm.weight_ih_l0, segmentation.linear[0].weight, segmentation.classifier.weight):
        torch.nn.init.normal_(weights, std=2.0)
    embedding = XVectorMFCC()
    embedding.specifications = _EMBEDDING
    embedding.setup()
    (folder / "plda").mkdir(parents=True)
    save_checkpoint(segmentation, folder / "segmentation" / "pytorch_model.bin")
    save_checkpoint(embedding, folder / "embedding" / "pytorch_model.bin")
    _save_plda(folder / "plda", np.random.default_rng(seed), embedding.dimension)
    (folder / "config.yaml").write_text(CONFIG)
    return folder


def save_checkpoint(model: Any, path: Path, **more: Any) -> None:
    """As pyannote's trainer writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"state_dict": model.state_dict(), "hyper_parameters": dict(model.hparams), **more}
    model.on_save_checkpoint(content)
    content["pytorch-lightning_version"] = "2.6.0"
    content["pyannote.audio"]["versions"]["torch"] = torch.__version__  # a TorchVersion, as in real ones
    torch.save(content, path)


def _save_plda(folder: Path, random: np.random.Generator, width: int, kept: int = 128) -> None:
    np.savez(
        folder / "xvec_transform.npz",
        mean1=random.normal(size=width),
        mean2=random.normal(size=kept),
        lda=random.normal(size=(width, kept)),
    )
    np.savez(
        folder / "plda.npz",
        mu=random.normal(size=kept),
        tr=np.eye(kept) + random.normal(0, 0.01, (kept, kept)),
        psi=np.linspace(2.0, 0.1, kept),
    )
