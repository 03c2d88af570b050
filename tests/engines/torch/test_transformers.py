import json
import shutil
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoProcessor, ParakeetForTDT

from callscribe.engines import load_engine
from callscribe.engines.base import NO_HINTS, Chunk, Engine, Recognised
from callscribe.engines.transformers import Device, Transformers, create
from callscribe.errors import FailureCode, Invalid, JobFailed, Unavailable
from local.recordings import demo_recording, not_speech, read_clip
from tests.engines.conftest import Run
from tests.engines.torch.random_parakeet import BLANK, write_random_parakeet

pytestmark = pytest.mark.torch
CLIPS = ("jfk", "librivox-0880", "librivox-0890", "librivox-0870")
CPU = Device("cpu", "float32", 4)
EMPTY = Chunk(np.zeros(0, np.float32))


def clips() -> list[Chunk]:
    return [Chunk(read_clip(name)) for name in CLIPS]


def heard(engine: Engine, *chunks: Chunk, language: str | None = "en") -> list[Recognised]:
    return list(engine.transcribe(chunks, language=language, hints=NO_HINTS))


def test_words_have_times_in_order_inside_the_chunk_and_a_confidence(engine: Engine) -> None:
    chunks = clips()
    results = heard(engine, *chunks)
    assert len(results) == len(chunks)
    for chunk, result in zip(chunks, results, strict=True):
        assert result.text == " ".join(word.text for word in result.words)
        edges = [edge for word in result.words for edge in (word.start_s, word.end_s)]
        assert edges
        assert edges == sorted(edges)
        assert edges[0] >= 0
        assert edges[-1] <= chunk.duration_s + 0.1
        assert all(type(word.confidence) is float and 0 <= word.confidence <= 1 for word in result.words)
        assert any(word.end_s > word.start_s for word in result.words)


def test_what_is_heard_depends_on_the_sound(engine: Engine) -> None:
    assert len({result.text for result in heard(engine, *clips())}) == len(CLIPS)


def test_no_word_holds_a_token_of_the_decoders_own(engine: Engine) -> None:
    said = "".join(result.text for result in heard(engine, *clips()))
    assert not set(said) & set("<>▁")


def test_chunks_together_give_the_same_as_one_by_one_and_in_their_order(engine: Engine) -> None:
    chunks = [*clips(), EMPTY, Chunk(read_clip("jfk")[:900]), *clips()[:2]]
    alone = [heard(engine, chunk)[0] for chunk in chunks]
    together = heard(engine, *chunks)
    assert [one.text for one in together] == [one.text for one in alone]
    for one, other in zip(together, alone, strict=True):
        assert [word.start_s for word in one.words] == [word.start_s for word in other.words]
        assert [word.confidence for word in one.words] == pytest.approx(
            [word.confidence for word in other.words], abs=1e-3
        )
    assert [one.text for one in heard(engine, *reversed(chunks))] == [one.text for one in alone[::-1]]


def test_padding_to_a_bucket_changes_nothing_of_what_is_heard(model_dirs: dict[str, Path]) -> None:
    for folder in model_dirs.values():
        plain, padded = (Transformers(folder, Device("cpu", "float32", 4, bucket_s=bucket)) for bucket in (0.0, 3.0))
        assert [one.text for one in heard(padded, *clips())] == [one.text for one in heard(plain, *clips())]


def test_nothing_is_heard_in_silence_and_in_no_sound_at_all(engine: Engine) -> None:
    silence = Chunk(np.zeros(32_000, np.float32))
    assert [(found.text, found.words) for found in heard(engine, silence, EMPTY)] == [("", ())] * 2
    assert heard(engine) == []


@pytest.mark.parametrize("name", not_speech(1.0))
def test_nothing_is_heard_where_nobody_speaks(engine: Engine, run: Run, name: str) -> None:
    assert run(engine, not_speech()[name]).segments == ()


def test_a_recording_becomes_a_transcript_with_both_speakers(engine: Engine, run: Run) -> None:
    recording = demo_recording()
    transcript = run(engine, recording.samples, language="de")
    assert {segment.speaker for segment in transcript.segments} == {"0", "1"}
    assert (transcript.engine, transcript.model, transcript.language) == ("transformers", engine.info.model, "de")
    words = [word for segment in transcript.segments for word in segment.words]
    assert all(0 <= word.start_s <= word.end_s <= recording.duration_s for word in words)


def test_a_language_that_is_not_on_the_models_card_is_a_typed_error(engine: Engine) -> None:
    assert engine.info.languages == frozenset({"en", "de"})
    with pytest.raises(JobFailed) as failed:
        engine.transcribe([EMPTY], language="fr-CA", hints=NO_HINTS)
    assert failed.value.failure.code == FailureCode.LANGUAGE_UNSUPPORTED


@pytest.mark.parametrize("language", [None, "auto", "de-AT"])
def test_the_language_changes_nothing_of_what_is_heard_and_none_is_told(engine: Engine, language: str | None) -> None:
    (found,) = heard(engine, clips()[0], language=language)
    assert found == heard(engine, clips()[0])[0]
    assert found.language is None


def test_a_chunk_longer_than_allowed_is_refused_before_anything_is_recognised(engine: Engine) -> None:
    with pytest.raises(ValueError, match="longer than"):
        engine.transcribe([Chunk(np.zeros(20 * 16_000 + 100, np.float32))], language="en", hints=NO_HINTS)


class Crowded(Transformers):
    """A device whose memory holds so many chunks at a time."""

    room = 2

    def __init__(self, model_dir: Path, device: Device) -> None:
        self.tried: list[int] = []
        super().__init__(model_dir, device)

    def prepare(self, chunks: Sequence[Chunk]) -> tuple[Any, Any]:
        self.tried.append(len(chunks))
        if len(chunks) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return super().prepare(chunks)


def test_a_batch_that_does_not_fit_is_tried_smaller_and_nothing_is_lost(model_dirs: dict[str, Path]) -> None:
    crowded = Crowded(model_dirs["tdt"], CPU)
    plain = Transformers(model_dirs["tdt"], CPU)
    assert [one.text for one in heard(crowded, *clips())] == [one.text for one in heard(plain, *clips())]
    assert crowded.tried[0] == 4
    assert max(crowded.tried[1:]) == 2


def test_a_device_without_room_for_one_chunk_says_that_it_may_be_tried_again(model_dirs: dict[str, Path]) -> None:
    crowded = Crowded(model_dirs["tdt"], CPU)
    crowded.room = 0
    with pytest.raises(Unavailable):
        heard(crowded, clips()[0])


def test_a_cpu_without_memory_gets_a_smaller_batch_too(model_dirs: dict[str, Path]) -> None:
    class Full(Crowded):
        def encode(self, features: Any, mask: Any) -> tuple[Any, Any]:
            if len(features) > 1:
                raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")
            return super().encode(features, mask)

    full = Full(model_dirs["ctc"], CPU)
    assert len(heard(full, *clips()[:2])) == 2
    assert full.tried == [2, 1, 1]


def test_another_error_is_not_taken_for_a_lack_of_memory(model_dirs: dict[str, Path]) -> None:
    class Broken(Crowded):
        def encode(self, features: Any, mask: Any) -> tuple[Any, Any]:
            raise RuntimeError("device-side assert triggered")

    with pytest.raises(RuntimeError, match="assert"):
        heard(Broken(model_dirs["tdt"], CPU), *clips()[:1])


def test_the_id_of_a_model_is_stable_and_changes_with_its_weights(model_dirs: dict[str, Path], tmp_path: Path) -> None:
    folder = shutil.copytree(model_dirs["tdt"], tmp_path / "tdt")
    ids = [create(folder).info.model for _ in range(2)]
    assert ids[0] == ids[1] == create(model_dirs["tdt"]).info.model
    other = write_random_parakeet(tmp_path / "other" / "tdt", "tdt", seed=5)
    shutil.copy(other / "model.safetensors", folder)
    assert create(folder).info.model != ids[0]


def test_weights_in_several_files_all_count_in_the_digest(tmp_path: Path) -> None:
    write_random_parakeet(tmp_path / "tdt", "tdt", seed=4)
    whole = create(tmp_path / "tdt")
    model = ParakeetForTDT.from_pretrained(tmp_path / "tdt")
    (tmp_path / "tdt" / "model.safetensors").unlink()
    model.save_pretrained(tmp_path / "tdt", max_shard_size="40KB")
    shards = sorted((tmp_path / "tdt").glob("model-*.safetensors"))
    assert len(shards) > 1
    split = create(tmp_path / "tdt")
    assert heard(split, *clips()) == heard(whole, *clips())
    content = bytearray(shards[-1].read_bytes())
    content[-1] ^= 1
    shards[-1].write_bytes(content)
    assert create(tmp_path / "tdt").info.model != split.info.model


def test_every_file_that_is_missing_is_named_at_the_start(model_dirs: dict[str, Path], tmp_path: Path) -> None:
    folder = shutil.copytree(model_dirs["tdt"], tmp_path / "tdt")
    for name in ("config.json", "model.safetensors", "processor_config.json", "tokenizer.json"):
        moved = (folder / name).rename(tmp_path / name)
        with pytest.raises(Invalid, match="lacks") as refused:
            load_engine("transformers", folder)
        assert name in refused.value.rule.split(";")[0]
        moved.rename(folder / name)
    for wrong in (None, tmp_path / "nowhere", tmp_path):
        with pytest.raises(Invalid, match=r"transformers needs .*config\.json"):
            load_engine("transformers", wrong)


def test_pickled_weights_are_never_read(model_dirs: dict[str, Path], tmp_path: Path) -> None:
    folder = shutil.copytree(model_dirs["tdt"], tmp_path / "tdt")
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(Invalid, match=r"lacks model\.safetensors"):
        load_engine("transformers", folder)


@pytest.mark.parametrize(
    ("name", "change", "rule"),
    [
        ("config.json", {"model_type": "whisper"}, "'whisper'.*parakeet_tdt, parakeet_ctc"),
        ("processor_config.json", {"feature_extractor": {"sampling_rate": 8_000}}, "wants 8000 Hz"),
    ],
)
def test_a_model_of_another_kind_is_refused(
    model_dirs: dict[str, Path], tmp_path: Path, name: str, change: dict[str, Any], rule: str
) -> None:
    folder = shutil.copytree(model_dirs["tdt"], tmp_path / "tdt")
    (folder / name).write_text(json.dumps({**json.loads((folder / name).read_text()), **change}))
    with pytest.raises(Invalid, match=rule):
        load_engine("transformers", folder)


def test_code_that_a_model_brings_is_not_run(model_dirs: dict[str, Path], tmp_path: Path) -> None:
    folder = shutil.copytree(model_dirs["tdt"], tmp_path / "tdt")
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoConfig": "evil.Config", "AutoModel": "evil.Model"}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    assert heard(create(folder), *clips()[:1])[0].words
    assert not (tmp_path / "ran").exists()


def test_loading_and_recognising_asks_for_no_connection(
    model_dirs: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("a connection was asked for")

    for way_out in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, way_out, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    for folder in model_dirs.values():
        loaded = load_engine("transformers", folder)
        assert heard(loaded, clips()[0])[0].words
        loaded.close()


def test_the_features_equal_those_of_transformers_own_extractor(model_dirs: dict[str, Path]) -> None:
    ours, ours_mask = Transformers(model_dirs["tdt"], Device("cpu", "float32", 4, bucket_s=0.0)).prepare(clips())
    theirs = AutoProcessor.from_pretrained(model_dirs["tdt"])([one.samples for one in clips()], sampling_rate=16_000)
    assert torch.equal(ours_mask, theirs.attention_mask)
    torch.testing.assert_close(ours, theirs.input_features, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("seed", [2, 4])
def test_the_search_finds_the_tokens_and_times_that_transformers_generate_finds(tmp_path: Path, seed: int) -> None:
    engine = Transformers(write_random_parakeet(tmp_path, "tdt", seed=seed), CPU)
    model = ParakeetForTDT.from_pretrained(tmp_path)
    for chunk in clips():
        with torch.inference_mode():
            features, mask = engine.prepare([chunk])
            theirs = model.generate(input_features=features, attention_mask=mask, max_length=2_000)
            (ours,) = engine._decode(*engine.encode(features, mask))
        times = (theirs.durations.cumsum(dim=-1) - theirs.durations)[0].tolist()
        expected = [pair for pair in zip(theirs.sequences[0].tolist(), times, strict=True) if pair[0] != BLANK]
        assert [(one.token, one.first_frame) for one in ours] == expected
        assert len(ours) > 5


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU that CUDA knows")
def test_a_graph_of_the_search_finds_what_its_steps_find(model_dirs: dict[str, Path]) -> None:
    steps, graph = (
        Transformers(model_dirs["tdt"], Device("cuda", "float32", 4, graphed=graphed)) for graphed in (False, True)
    )
    for count in (4, 1, 3):
        assert heard(graph, *clips()[:count]) == heard(steps, *clips()[:count])
