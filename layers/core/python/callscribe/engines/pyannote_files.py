"""pyannote's speaker diarization from a directory, without the network, without telemetry, and without pickled code.

pyannote's own loader unpickles whatever a checkpoint holds and makes whichever class a configuration names. Here only
tensors, plain values and the few classes named below are read, and only models of pyannote.audio are made.
"""

import os
import pickle
from collections.abc import Mapping
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any, Final

import yaml  # type: ignore[import-untyped]  # types-PyYAML would be there for this line alone

from callscribe.engines.model_files import need_files
from callscribe.errors import Invalid

# Read when the packages are imported, which the next lines do.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["PYANNOTE_METRICS_ENABLED"] = "0"
os.environ["OTEL_SDK_DISABLED"] = "true"

import torch
from pyannote.audio.core.plda import PLDA
from pyannote.audio.core.task import Problem, Resolution, Specifications
from pyannote.audio.pipelines import SpeakerDiarization

Pipeline = Any  # pyannote.audio is not installed where types are checked
FILES: Final = (
    "config.yaml",
    "segmentation/pytorch_model.bin",
    "embedding/pytorch_model.bin",
    "plda/plda.npz",
    "plda/xvec_transform.npz",
)
_NAMES = {
    "pyannote.audio.pipelines.SpeakerDiarization",
    "pyannote.audio.pipelines.speaker_diarization.SpeakerDiarization",
}
_PARTS = {"segmentation": "$model/segmentation", "embedding": "$model/embedding", "plda": "$model/plda"}
_SETTINGS = {
    "clustering",
    "embedding_batch_size",
    "embedding_exclude_overlap",
    "segmentation_batch_size",
    "segmentation_step",
}
# What checkpoints of pyannote.audio 3 and 4 hold besides tensors and plain values.
_CLASSES = [Specifications, Problem, Resolution, torch.torch_version.TorchVersion]
_MODELS = "pyannote.audio.models."
_OF_TRAINING = "loss_func."  # a part of some checkpoints that listening does not need


def load_pipeline(model_dir: Path | None) -> Pipeline:
    """The pipeline in a directory such as `speaker-diarization-community-1`, on a GPU where there is one.

    Raises Invalid for a directory that is not such a one, or that asks for more than is read here.
    """
    config_file, segmentation, embedding, *_ = need_files(model_dir, FILES, engine="pyannote")
    config = yaml.safe_load(config_file.read_text(encoding="utf-8"))
    settings = _settings(config, config_file)
    pipeline = SpeakerDiarization(
        segmentation=load_model(segmentation),
        embedding=load_model(embedding),
        plda=PLDA.from_pretrained(config_file.parent / "plda"),
        **settings,
    )
    pipeline.instantiate(config.get("params") or pipeline.default_parameters())
    return pipeline.to(torch.device("cuda" if torch.cuda.is_available() else "cpu"))


def load_model(checkpoint: Path) -> Any:
    """A model of pyannote.audio from its checkpoint. Raises Invalid for one that holds anything else."""
    try:
        with torch.serialization.safe_globals(_CLASSES):
            content = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        rule = f"{str(checkpoint)!r} is no checkpoint, or holds objects that are not read from one: {error}"
        raise Invalid("diarizer_dir", rule) from error
    kind = _class_of(content, checkpoint)
    known = signature(kind).parameters
    settings = {name: value for name, value in dict(content["hyper_parameters"]).items() if name in known}
    model = kind(**settings)
    model.on_load_checkpoint(content)  # builds the layers that depend on what the model was trained for
    weights = {name: value for name, value in content["state_dict"].items() if not name.startswith(_OF_TRAINING)}
    model.load_state_dict(weights)
    return model.eval()


def _class_of(content: Any, checkpoint: Path) -> Any:
    told = content.get("pyannote.audio", {}).get("architecture", {}) if isinstance(content, Mapping) else {}
    module, name = str(told.get("module")), str(told.get("class"))
    if not module.startswith(_MODELS):
        raise Invalid("diarizer_dir", f"{str(checkpoint)!r} is no model of pyannote.audio but {module}.{name}")
    return getattr(import_module(module), name)


def _settings(config: Any, config_file: Path) -> dict[str, Any]:
    """The pipeline's own settings. Raises Invalid for what is asked beyond them."""
    pipeline = config.get("pipeline", {}) if isinstance(config, Mapping) else {}
    params = dict(pipeline.get("params") or {})
    beyond = sorted(set(params) - _SETTINGS - set(_PARTS))
    elsewhere = sorted(name for name, place in _PARTS.items() if params.pop(name, place) != place)
    if pipeline.get("name") not in _NAMES or beyond or elsewhere or config.get("preprocessors"):
        rule = (
            f"{str(config_file)!r} must describe pyannote.audio's SpeakerDiarization of parts in its own directory "
            f"({', '.join(_PARTS)}) with no settings but {', '.join(sorted(_SETTINGS))}"
        )
        raise Invalid("diarizer_dir", rule)
    return params
