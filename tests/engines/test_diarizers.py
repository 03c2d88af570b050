from importlib.util import find_spec
from pathlib import Path

import pytest

from callscribe.engines import DIARIZERS, load_diarizer
from callscribe.errors import Invalid
from local.recordings import read_clip


def test_the_embedded_diarizer_is_made_anew_for_each_recording() -> None:
    make = load_diarizer("embedded")
    one, other = make(), make()
    one.listen(read_clip("jfk"), 0.0)
    assert one is not other
    assert one.voices().count == 1


def test_a_diarizer_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(Invalid, match="embedded, pyannote") as refused:
        load_diarizer("nobody")
    assert refused.value.field == "diarizer"
    assert set(DIARIZERS) == {"embedded", "pyannote"}


def test_the_embedded_diarizer_refuses_a_model_that_it_would_not_use(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="needs no model"):
        load_diarizer("embedded", tmp_path)


@pytest.mark.skipif(find_spec("torch") is not None, reason="torch is here: nothing is missing")
def test_pyannote_says_what_to_install_where_its_packages_are_not(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"pyannote needs the package .*: install .*requirements-torch\.txt"):
        load_diarizer("pyannote", tmp_path)
