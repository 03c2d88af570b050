"""Parakeet models with random weights, of any size: what they hear means nothing, the real code runs all the same."""

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders
from tokenizers.models import BPE
from transformers import (
    ParakeetCTCConfig,
    ParakeetFeatureExtractor,
    ParakeetForCTC,
    ParakeetForTDT,
    ParakeetProcessor,
    ParakeetTDTConfig,
    ParakeetTokenizer,
)

BANDS = 16
LETTERS = "abcdefghijklmnopqrstuvwxyz"
PIECES = ("<unk>", "<pad>", *(f"▁{letter}" for letter in LETTERS), *LETTERS, ",", ".", "<blank>")
BLANK = len(PIECES) - 1
ENCODER = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "subsampling_conv_channels": 8,
    "num_mel_bins": BANDS,
}
_SPREAD = 0.35  # of the weights, so that what is heard changes with the sound
CARD = "---\nlanguage:\n- en\n- de\n---\n# Random weights\n"


def write_random_parakeet(folder: Path, kind: str = "tdt", *, seed: int = 1, encoder: dict[str, int] = ENCODER) -> Path:
    """Write the files of a model, `kind` tdt or ctc, into the folder and return it."""
    model = random_parakeet(kind, seed=seed, encoder=encoder)
    model.save_pretrained(folder)
    processor(kind).save_pretrained(folder)
    (folder / "README.md").write_text(CARD)
    return folder


def random_parakeet(kind: str, *, seed: int, encoder: dict[str, int] = ENCODER) -> Any:
    torch.manual_seed(seed)
    if kind == "ctc":
        model = ParakeetForCTC(
            ParakeetCTCConfig(vocab_size=len(PIECES), pad_token_id=BLANK, encoder_config=dict(encoder))
        )
    else:
        model = ParakeetForTDT(
            ParakeetTDTConfig(
                vocab_size=len(PIECES),
                decoder_hidden_size=24,
                num_decoder_layers=2,
                blank_token_id=BLANK,
                pad_token_id=1,
                encoder_config=dict(encoder),
            )
        )
    for name, weights in model.named_parameters():
        if weights.dim() > 1 and "norm" not in name:
            torch.nn.init.normal_(weights, std=1.5 if name.startswith("encoder_projector") else _SPREAD)
    if kind == "tdt":
        model.generation_config.decoder_start_token_id = BLANK
        durations = range(len(PIECES), len(PIECES) + len(model.config.durations))
        model.generation_config.suppress_tokens = list(durations)  # no tokens, though the same layer gives them
    return model.eval()


def processor(kind: str) -> Any:
    tokenizer = Tokenizer(BPE(vocab={piece: token for token, piece in enumerate(PIECES)}, merges=[], unk_token="<unk>"))
    tokenizer.decoder = decoders.Metaspace()
    pad = "<blank>" if kind == "ctc" else "<pad>"
    known = ParakeetTokenizer(
        tokenizer_object=tokenizer, unk_token="<unk>", pad_token=pad, additional_special_tokens=["<pad>", "<blank>"]
    )
    return ParakeetProcessor(ParakeetFeatureExtractor(feature_size=BANDS), known, decoder_type=kind)
