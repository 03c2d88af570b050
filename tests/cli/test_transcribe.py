"""`callscribe transcribe` and `callscribe result` against the real dialect on a loopback port."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from callscribe.cli.edge import EXIT_CODES_HELP, ExitCode
from callscribe.exports import render
from callscribe.services import accounts
from tests.cli.conftest import Run
from tests.cli.service import CALL, FAILS, LONG, NEVER_ENDS, WAV, Service

TEXT = "[0:00:00] Speaker 0: hello, how can I help?\n[0:00:02] Speaker 1: my order is late.\n"


def test_a_recording_becomes_text_on_stdout_and_progress_on_stderr(run: Run, recording: Path) -> None:
    done = run("transcribe", str(recording))
    assert (done.exit_code, done.stdout) == (ExitCode.OK, TEXT)
    assert "completed" in done.stderr


def test_the_file_arrives_whole_with_the_media_type_of_its_content(run: Run, service: Service, tmp_path: Path) -> None:
    misnamed = tmp_path / "call.mp3"
    misnamed.write_bytes(WAV + bytes(1_000_000))
    assert run("transcribe", str(misnamed)).exit_code == ExitCode.OK
    put = next(headers for method, _, headers in service.requests if method == "PUT")
    assert (put["content-length"], put["content-type"]) == (str(len(WAV) + 1_000_000), "audio/wav")


@pytest.mark.parametrize("shape", ["srt", "vtt"])
def test_subtitles_are_those_of_the_exports(run: Run, recording: Path, shape: str) -> None:
    done = run("transcribe", "-o", shape, str(recording))
    assert done.stdout_bytes == render(shape, CALL)


def test_json_has_one_line_per_file_with_its_transcript_or_its_error(run: Run, recording: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.wav"
    bad.write_bytes(FAILS)
    done = run("transcribe", "-o", "json", str(recording), str(bad))
    first, second = map(json.loads, done.stdout.splitlines())
    assert (first["file"], first["status"], first["error"]) == (str(recording), "COMPLETED", None)
    assert [entry["speaker"] for entry in first["transcript"]["segments"]] == ["0", "1"]
    assert (second["status"], second["transcript"]) == ("ERROR", None)
    assert second["error"].startswith("audio_unreadable: ")
    assert done.exit_code == ExitCode.JOB_FAILED


def test_several_texts_have_a_heading_each_and_stand_in_the_order_of_the_files(run: Run, tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.wav" for number in range(20)]
    for path in paths:
        path.write_bytes(WAV)
    done = run("transcribe", *map(str, paths))
    assert done.stdout == "\n".join(f"== {path} ==\n{TEXT}" for path in paths)


def test_results_can_go_to_a_folder(run: Run, recording: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.wav"
    other.write_bytes(WAV)
    done = run("transcribe", "-o", "vtt", "-d", str(tmp_path / "out"), str(recording), str(other))
    assert (done.exit_code, done.stdout) == (ExitCode.OK, "")
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == {
        "call.wav.vtt": render("vtt", CALL),
        "other.wav.vtt": render("vtt", CALL),
    }


def test_without_waiting_the_request_id_is_printed_and_the_result_can_be_fetched_later(
    run: Run, recording: Path
) -> None:
    started = run("transcribe", "--no-wait", str(recording))
    request_id = started.stdout.strip()
    assert (started.exit_code, run("result", "-o", "text", request_id).stdout) == (ExitCode.OK, TEXT)


def test_a_recording_that_is_still_under_way_is_printed_as_its_request_id(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "endless.wav"
    path.write_bytes(NEVER_ENDS)
    started = run("transcribe", "--no-wait", str(path))
    again = run("result", "--no-wait", started.stdout.strip())
    assert (again.exit_code, again.stdout) == (ExitCode.OK, started.stdout)


def test_a_transcript_too_large_for_an_answer_is_fetched_by_its_link_with_nothing_missing(
    run: Run, service: Service, tmp_path: Path
) -> None:
    path = tmp_path / "long.wav"
    path.write_bytes(LONG)
    done = run("transcribe", "-o", "json", str(path))
    assert [len(entry["text"]) for entry in json.loads(done.stdout)["transcript"]["segments"]] == [900_000] * 5
    assert any(path.startswith("/api/v1/transcriptions/") for _, path, _ in service.requests)


def test_exit_1_and_the_reason_when_a_recording_cannot_be_transcribed(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "bad.wav"
    path.write_bytes(FAILS)
    done = run("transcribe", str(path))
    assert (done.exit_code, done.stdout) == (ExitCode.JOB_FAILED, "")
    assert "audio_unreadable" in done.stderr


def test_exit_2_for_a_file_that_is_no_recording_and_nothing_is_sent(run: Run, service: Service, tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("not a recording")
    done = run("transcribe", str(notes))
    assert (done.exit_code, service.requests) == (ExitCode.USAGE, [])
    assert f"{notes}: no recording that the service takes" in done.stderr


def test_missing_and_unsupported_files_are_told_and_the_others_are_done(
    run: Run, recording: Path, tmp_path: Path
) -> None:
    notes, missing, failing = tmp_path / "notes.txt", tmp_path / "missing.wav", tmp_path / "bad.wav"
    notes.write_text("not a recording")
    failing.write_bytes(FAILS)
    done = run("transcribe", *map(str, (missing, recording, notes, tmp_path, failing)))
    assert (done.exit_code, done.stdout) == (ExitCode.USAGE, f"== {recording} ==\n{TEXT}")
    for path, reason in ((missing, "cannot be read: No such file"), (notes, "no recording"), (tmp_path, "cannot be")):
        assert f"{path}: {reason}" in done.stderr
    assert run("transcribe", str(failing), str(missing)).exit_code == ExitCode.JOB_FAILED


def test_two_results_for_one_file_are_refused_before_anything_is_sent(
    run: Run, service: Service, recording: Path, tmp_path: Path
) -> None:
    (tmp_path / "b").mkdir()
    namesake = tmp_path / "b" / recording.name
    namesake.write_bytes(WAV)
    done = run("transcribe", "-d", str(tmp_path / "out"), str(recording), str(namesake))
    assert (done.exit_code, service.requests) == (ExitCode.USAGE, [])
    assert f"{recording} and {namesake} would both be written to" in done.stderr
    assert run("transcribe", str(recording), str(namesake)).exit_code == ExitCode.OK


@pytest.mark.parametrize("folder", ["a-file/out", "a-file", "/proc"])
def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_sent(
    run: Run, service: Service, recording: Path, tmp_path: Path, folder: str
) -> None:
    (tmp_path / "a-file").write_text("")
    done = run("transcribe", "-d", str(tmp_path / folder), str(recording))
    assert (done.exit_code, service.requests) == (ExitCode.USAGE, [])
    assert isinstance(done.exception, SystemExit)
    # The message stands in a box, whose lines may break anywhere.
    assert folder in "".join(done.stderr.replace("│", "").split())


def test_the_check_of_the_folder_leaves_nothing_behind(run: Run, tmp_path: Path) -> None:
    done = run("transcribe", "-d", str(tmp_path / "out"), str(tmp_path / "missing.wav"))
    assert (done.exit_code, list((tmp_path / "out").iterdir())) == (ExitCode.USAGE, [])


def test_exit_7_with_the_request_id_when_a_file_cannot_be_written_after_the_work_and_the_rest_is(
    run: Run, recording: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.wav"
    other.write_bytes(WAV)
    (tmp_path / "out" / "call.wav.txt").mkdir(parents=True)  # where the result should go
    done = run("transcribe", "-d", str(tmp_path / "out"), str(recording), str(other))
    assert done.exit_code == ExitCode.NOT_WRITTEN
    assert "call.wav.txt cannot be written: Is a directory; the result is kept: callscribe result " in done.stderr
    request_id = done.stderr.split()[-1]
    assert run("result", request_id).stdout == TEXT
    assert (tmp_path / "out" / "other.wav.txt").read_text() == TEXT


def _command(service: Service, folder: Path, *arguments: str) -> list[str]:
    assert not any((above / ".callscribe").exists() for above in (folder, *folder.parents))
    return [sys.executable, "-m", "callscribe.cli", *service.credentials, *arguments]


def test_exit_7_with_the_request_id_when_stdout_is_full(service: Service, recording: Path) -> None:
    command = _command(service, recording.parent, "transcribe", str(recording))
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=recording.parent)
    assert done.returncode == ExitCode.NOT_WRITTEN
    reason = f"{recording}: stdout cannot be written: No space left on device; the result is kept: callscribe result "
    assert done.stderr.splitlines()[-1].startswith(reason)


def test_a_reader_who_has_gone_ends_the_command_quietly(service: Service, recording: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = _command(service, recording.parent, "transcribe", str(recording), str(recording))
    with os.fdopen(writing, "wb") as gone:
        done = subprocess.run(command, stdout=gone, stderr=subprocess.PIPE, text=True, cwd=recording.parent)
    assert done.returncode == ExitCode.NOT_WRITTEN
    said = {line.rpartition(": ")[2] for line in done.stderr.splitlines()}
    assert said <= {"uploading", "pending", "completed", "stopped"}  # the other one may be under way


def test_the_exit_code_stays_when_the_reason_cannot_be_written(service: Service, tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(_command(service, tmp_path, "keys", "list"), stderr=full, check=False, cwd=tmp_path)
    assert done.returncode == ExitCode.USAGE


@pytest.mark.parametrize("body", [WAV, LONG])
def test_json_states_the_durations_only_where_the_service_does(run: Run, tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "call.wav"
    path.write_bytes(body)
    transcript = json.loads(run("transcribe", "-o", "json", str(path)).stdout)["transcript"]
    expected = (CALL.duration_s, CALL.speech_s) if body is LONG else (None, None)
    assert (transcript["duration_s"], transcript["speech_s"]) == expected


def test_exit_2_for_several_subtitle_files_on_one_stdout(run: Run, recording: Path) -> None:
    done = run("transcribe", "-o", "srt", str(recording), str(recording))
    assert done.exit_code == ExitCode.USAGE
    assert "--output-dir" in done.stderr


def test_exit_2_for_a_base_url_without_a_key_and_no_key_of_a_stage_goes_elsewhere(run: Run, recording: Path) -> None:
    done = run("--base-url", "https://elsewhere.example", "transcribe", str(recording))
    assert done.exit_code == ExitCode.USAGE
    assert "--app-id" in done.stderr


def test_exit_3_for_a_wrong_key_with_the_services_words(run: Run, service: Service, recording: Path) -> None:
    done = run("--api-key", "cs_live_wrong", "transcribe", str(recording))
    assert done.exit_code == ExitCode.NOT_AUTHORISED
    assert "the credential is not valid" in done.stderr


def test_exit_3_for_a_key_without_the_permission(run: Run, service: Service, recording: Path) -> None:
    key, secret = accounts.create_key(service.deps, tenant_id=service.tenant.id, name="none", scopes=[])
    done = run("--app-id", key.id, "--api-key", secret, "transcribe", str(recording))
    assert done.exit_code == ExitCode.NOT_AUTHORISED
    assert "BATCH-TRANSCRIBE" in done.stderr


def test_exit_4_when_nobody_listens(run: Run, recording: Path) -> None:
    credentials = ["--app-id", "app-1", "--api-key", "cs_live_1"]
    done = run("--base-url", "http://127.0.0.1:1", *credentials, "transcribe", str(recording))
    assert done.exit_code == ExitCode.UNREACHABLE
    assert "127.0.0.1:1" in done.stderr


def test_exit_4_when_the_service_keeps_answering_503(run: Run, service: Service, recording: Path) -> None:
    service.faults[:] = [503] * 50
    done = run("transcribe", str(recording))
    assert done.exit_code == ExitCode.UNREACHABLE
    assert "come back later" in done.stderr


def test_exit_5_when_the_transcript_is_not_there_in_time(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "endless.wav"
    path.write_bytes(NEVER_ENDS)
    done = run("transcribe", "--timeout", "0", str(path))
    assert done.exit_code == ExitCode.TIMED_OUT
    assert "not finished" in done.stderr


def test_exit_6_for_an_unknown_request(run: Run) -> None:
    done = run("result", "no-such-request")
    assert done.exit_code == ExitCode.REFUSED
    assert "no-such-request: requestId: unknown" in done.stderr


def test_exit_6_with_the_services_reason_for_a_language_it_refuses(run: Run, recording: Path) -> None:
    done = run("transcribe", "--language", "not a tag", str(recording))
    assert done.exit_code == ExitCode.REFUSED
    assert "language: must be a BCP 47 tag" in done.stderr


def test_the_help_names_every_exit_code() -> None:
    assert all(f"{code.value} " in EXIT_CODES_HELP for code in ExitCode)
