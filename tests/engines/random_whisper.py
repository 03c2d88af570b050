"""A Whisper that knows 99 languages, with random weights: what it hears means nothing, its real code runs all the same.

Made by numpy and CTranslate2's own model format, without torch: one layer, eight dimensions, 200 KB.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from ctranslate2.specs.whisper_spec import WhisperConfig, WhisperSpec  # type: ignore[import-untyped]  # it ships no types
from faster_whisper.tokenizer import _LANGUAGE_CODES  # type: ignore[import-untyped]  # the same

LANGUAGES = tuple(code for code in _LANGUAGE_CODES if code != "yue")  # as all but the newest
_BYTES = 256
_MANY_LANGUAGES = ""  # by this odd entry of its vocabulary CTranslate2 knows such a model
_WIDTH, _HEADS, _MELS = 8, 2, 80
_TASKS = ("<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>")
_TIMES = tuple(f"<|{step * 0.02:.2f}|>" for step in range(1_501))


def write_random_whisper(folder: Path, *, seed: int = 1) -> Path:
    """Write the model's files into the folder and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    languages = [f"<|{code}|>" for code in LANGUAGES]
    special = ["<|endoftext|>", "<|startoftranscript|>", *languages, *_TASKS, *_TIMES]
    letters = [*_byte_letters(), _MANY_LANGUAGES]
    spec = _specification(np.random.default_rng(seed), len(letters) + len(special))
    spec.register_vocabulary([*letters, *special])
    first = len(letters) + 2
    spec._config = WhisperConfig(
        suppress_ids=[],
        suppress_ids_begin=[],
        lang_ids=list(range(first, first + len(languages))),
        alignment_heads=[(0, 0)],
    )
    spec.validate()
    spec.save(str(folder))
    (folder / "tokenizer.json").write_text(json.dumps(_tokenizer(letters, special)))
    features = {"feature_size": _MELS, "sampling_rate": 16_000, "hop_length": 160, "chunk_length": 30, "n_fft": 400}
    (folder / "preprocessor_config.json").write_text(json.dumps(features))
    return folder


def _specification(random: np.random.Generator, vocabulary: int) -> Any:
    def fill(*shape: int) -> Any:
        return random.normal(0, 0.5, shape).astype(np.float32)

    spec = WhisperSpec(1, _HEADS, 1, _HEADS)
    _fill(spec.encoder, fill, decoder=False)
    _fill(spec.decoder, fill, decoder=True)
    spec.encoder.conv1.weight, spec.encoder.conv1.bias = fill(_WIDTH, _MELS, 3), fill(_WIDTH)
    spec.encoder.conv2.weight, spec.encoder.conv2.bias = fill(_WIDTH, _WIDTH, 3), fill(_WIDTH)
    spec.encoder.position_encodings.encodings = fill(1_500, _WIDTH)
    spec.decoder.position_encodings.encodings = fill(448, _WIDTH)
    spec.decoder.embeddings.weight = fill(vocabulary, _WIDTH)
    spec.decoder.projection.weight = spec.decoder.embeddings.weight
    return spec


def _fill(stack: Any, fill: Any, *, decoder: bool) -> None:
    norms = [stack.layer_norm]
    for layer in stack.layer:
        norms += [layer.self_attention.layer_norm, layer.ffn.layer_norm]
        _linear(layer.self_attention.linear[0], fill, 3 * _WIDTH, _WIDTH)
        _linear(layer.self_attention.linear[1], fill, _WIDTH, _WIDTH)
        if decoder:
            norms.append(layer.attention.layer_norm)
            _linear(layer.attention.linear[0], fill, _WIDTH, _WIDTH)
            _linear(layer.attention.linear[1], fill, 2 * _WIDTH, _WIDTH)
            _linear(layer.attention.linear[2], fill, _WIDTH, _WIDTH)
        _linear(layer.ffn.linear_0, fill, 4 * _WIDTH, _WIDTH)
        _linear(layer.ffn.linear_1, fill, _WIDTH, 4 * _WIDTH)
    for norm in norms:
        norm.gamma, norm.beta = np.ones(_WIDTH, np.float32), np.zeros(_WIDTH, np.float32)


def _linear(linear: Any, fill: Any, outputs: int, inputs: int) -> None:
    linear.weight, linear.bias = fill(outputs, inputs), fill(outputs)


def _byte_letters() -> list[str]:
    """The 256 letters that stand for bytes in a byte-level tokenizer."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(_BYTES) if byte not in plain]
    return [chr(byte) for byte in plain] + [chr(_BYTES + number) for number in range(len(others))]


def _tokenizer(letters: list[str], added: list[str]) -> dict[str, Any]:
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": len(letters) + at, "content": text, **flags} for at, text in enumerate(added)],
        "normalizer": None,
        "pre_tokenizer": byte_level,
        "post_processor": None,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "",
            "fuse_unk": False,
            "byte_fallback": False,
            "vocab": {letter: at for at, letter in enumerate(letters)},
            "merges": [],
        },
    }
