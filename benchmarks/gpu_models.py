"""Models of real shapes with random weights, which write a fixed number of tokens: for speed, and for nothing else."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import (
    ParakeetFeatureExtractor,
    ParakeetForTDT,
    ParakeetProcessor,
    ParakeetTDTConfig,
    ParakeetTokenizer,
)

FRAMES_PER_TOKEN: Final = 3  # 240 ms: 4.2 tokens in a second of speech, about what a model writes of a brisk speaker
_NEVER = -60.0
_UNLIKELIER_THAN_A_TOKEN = -30.0


@dataclass(frozen=True, slots=True)
class ParakeetShape:
    """The sizes that decide how long a Parakeet-TDT works."""

    name: str
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    subsampling_conv_channels: int
    num_mel_bins: int
    decoder_hidden_size: int
    pieces: int


REAL: Final = ParakeetShape("parakeet-tdt-0.6b-v3", 1_024, 24, 8, 4_096, 256, 128, 640, 8_192)
TINY: Final = ParakeetShape("tiny", 64, 2, 2, 128, 16, 16, 32, 64)


def write_parakeet(folder: Path, shape: ParakeetShape, *, seed: int = 1) -> Path:
    """Write the files of a model into the folder and return it."""
    torch.manual_seed(seed)
    encoder = {
        name: size for name, size in asdict(shape).items() if name not in {"name", "decoder_hidden_size", "pieces"}
    }
    plain = {"attention_bias": False, "convolution_bias": False, "scale_input": False}
    config = ParakeetTDTConfig(
        vocab_size=shape.pieces + 1,
        decoder_hidden_size=shape.decoder_hidden_size,
        blank_token_id=shape.pieces,
        pad_token_id=1,
        encoder_config={**encoder, **plain},
    )
    model = ParakeetForTDT(config).eval()
    _fix_output(model)
    model.generation_config.decoder_start_token_id = shape.pieces
    model.to(torch.bfloat16).save_pretrained(folder)
    _processor(shape).save_pretrained(folder)
    (folder / "README.md").write_text("---\nlanguage: en\n---\nRandom weights: what it writes means nothing.\n")
    return folder


def _fix_output(model: Any) -> None:
    """Let every step write some token and move on by the same number of frames, whatever is heard."""
    head, blank, pieces = model.joint.head, model.config.blank_token_id, model.config.vocab_size
    step = list(model.config.durations).index(FRAMES_PER_TOKEN)
    with torch.no_grad():
        head.weight[pieces:] = 0.0
        head.bias[pieces:] = _NEVER
        head.bias[pieces + step] = _UNLIKELIER_THAN_A_TOKEN
        for never in (0, 1, blank):
            head.weight[never] = 0.0
            head.bias[never] = _NEVER


def _processor(shape: ParakeetShape) -> Any:
    pieces = ["<unk>", "<pad>", *(f"▁w{number}" for number in range(2, shape.pieces)), "<blank>"]
    words = Tokenizer(WordLevel({piece: token for token, piece in enumerate(pieces)}, unk_token="<unk>"))
    tokenizer = ParakeetTokenizer(
        tokenizer_object=words, unk_token="<unk>", pad_token="<pad>", additional_special_tokens=["<blank>"]
    )
    features = ParakeetFeatureExtractor(feature_size=shape.num_mel_bins)
    return ParakeetProcessor(features, tokenizer, decoder_type="tdt")


def parameters_of(folder: Path) -> int:
    """How many numbers the weights are, by the header of the file that holds them."""
    with (folder / "model.safetensors").open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    shapes = (entry["shape"] for name, entry in header.items() if name != "__metadata__")
    return sum(int(torch.Size(shape).numel()) for shape in shapes)
