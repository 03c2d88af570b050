"""The interleaved runner: what it refuses to measure, and what it makes of what it measured."""

import os
import sys
from pathlib import Path

import pytest

from benchmarks import interleaved
from benchmarks.interleaved import BytecodeMissing, Case, CaseFailed, Sample, compare, require_bytecode

REPORT = "import json, time; print(json.dumps({'cpu_s': %s}))"
REPORT_CORES = "import json, os; print(json.dumps({'cpu_s': 0, 'cores': sorted(os.sched_getaffinity(0))}))"


def case(name: str, code: str, **environment: str) -> Case:
    return Case(name, (sys.executable, "-c", code), environment)


def importing(folder: Path, **environment: str) -> Case:
    (folder / "brought_along.py").write_text("answer = 42\n")
    return case(
        "imports", "import brought_along; " + REPORT % "time.process_time()", PYTHONPATH=str(folder), **environment
    )


def test_every_case_counts_once_a_round_and_the_rounds_before_do_not_count(tmp_path: Path) -> None:
    noted = f"open({str(tmp_path / 'runs')!r}, 'a').write(%r); "
    cases = [case(name, noted % name + REPORT % "time.process_time()") for name in "ab"]
    samples = compare(cases, seed=4)
    assert {name: len(one.values) for name, one in samples.items()} == {"a": 7, "b": 7}
    runs = (tmp_path / "runs").read_text()
    assert runs[:4] == "abab"
    orders = {runs[at : at + 2] for at in range(4, len(runs), 2)}
    assert len(runs) == 2 * 9
    assert orders == {"ab", "ba"}


@pytest.mark.skipif(sys.platform != "linux", reason="other systems cannot pin a process to a core")
def test_every_process_runs_on_one_core_and_this_one_is_left_as_it_was() -> None:
    before = os.sched_getaffinity(0)
    samples = compare([case("a", REPORT_CORES)], core=min(before))
    assert [one["cores"] for one in samples["a"].reports] == [[min(before)]] * 7
    assert os.sched_getaffinity(0) == before


def test_modules_that_were_compiled_from_source_are_no_measurement(tmp_path: Path) -> None:
    with pytest.raises(BytecodeMissing, match=r"1 modules were compiled from source, such as .*brought_along\.py"):
        compare([importing(tmp_path, PYTHONDONTWRITEBYTECODE="1")])


def test_so_are_those_whose_bytecode_is_out_of_date(tmp_path: Path) -> None:
    found = importing(tmp_path)
    require_bytecode_twice(found)
    (tmp_path / "brought_along.py").write_text("answer = 4_200\n")
    with pytest.raises(BytecodeMissing, match="brought_along"):
        require_bytecode(found)


def require_bytecode_twice(found: Case) -> None:
    with pytest.raises(BytecodeMissing):
        require_bytecode(found)  # and so writes it
    require_bytecode(found)


def test_this_processs_own_ban_on_bytecode_is_not_handed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    assert len(compare([importing(tmp_path)])["imports"].values) == 7


def test_a_command_that_cannot_be_asked_for_its_bytecode_is_refused() -> None:
    with pytest.raises(BytecodeMissing, match="does not say"):
        require_bytecode(Case("echo", ("echo", '{"cpu_s": 0}')))
    with pytest.raises(BytecodeMissing, match="does not say"):
        require_bytecode(Case("isolated", (sys.executable, "-I", "-c", REPORT % "0")))


@pytest.mark.parametrize("code", ["", "print('no json')", "print('{}')", "print('[1]')", "print('{\"cpu_s\": null}')"])
def test_a_case_that_reports_no_time_fails(code: str) -> None:
    with pytest.raises(CaseFailed, match="no JSON object with cpu_s"):
        compare([case("a", code)])


def test_a_case_that_ends_badly_fails_with_its_own_words() -> None:
    with pytest.raises(CaseFailed, match=r"ended with 1.*out of order"):
        compare([case("a", "raise SystemExit('out of order')")])


def test_more_time_than_the_process_took_is_another_clock() -> None:
    with pytest.raises(CaseFailed, match="reports 60"):
        compare([case("a", REPORT % "60.0")])


def test_too_few_rounds_and_a_name_used_twice_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 7"):
        compare([], rounds=6)
    with pytest.raises(ValueError, match="same name"):
        compare([case("a", ""), case("a", "")])


def test_median_and_spread_are_those_of_the_rounds() -> None:
    sample = Sample(tuple(range(1, 12)), tuple({"other": 2 * value} for value in range(1, 12)))
    assert sample.median == 6
    assert sample.p90_over_p50 == pytest.approx(10 / 6)
    assert sample.median_of("other") == 12


def test_the_table_shows_times_spread_and_ratios() -> None:
    text = interleaved.table({"ours": Sample((0.1,) * 7), "peer": Sample((0.25,) * 7)}, base="peer")
    assert [line.split() for line in text.splitlines()[1:]] == [
        ["ours", "100.0", "1.00", "0.40"],
        ["peer", "250.0", "1.00", "1.00"],
    ]
