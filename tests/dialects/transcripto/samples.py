"""The document's own samples as they stand there: each curl command, and the answer that the document shows for it.

`samples.txt` holds the commands, the answers, and the fields that may be null. `run` sends a sample to any running
system, once a table replaces what a document cannot know: host and credentials, ids, files and addresses.
"""

import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from tests.dialects.conftest import Answer

DOCUMENT = Path(__file__).with_name("samples.txt")
HOST = "https://<host>"
_ANSWER = re.compile(r"^Example (?:successful )?response \(200\):?\n", re.MULTILINE)
_NULLABLE = re.compile(r"^\| (\S+) \| \w+ \\ \| null \|", re.MULTILINE)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d(T.*)?")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Sample:
    """One command; `answer` is the JSON shown for it, None where a file is the answer.

    `nullable` are the fields that the document says may be null, by their last name.
    """

    number: int  # counts the document's commands from 1
    command: str
    answer: Any
    nullable: frozenset[str]

    @property
    def url(self) -> str:
        """As it stands in the command."""
        return next(word.strip('"') for word in self.command.split() if HOST in word)

    @property
    def route(self) -> str:
        """Method and path, as they stand in the command: what the sample is known by."""
        words = self.command.replace('"', " ").split()
        method = words[words.index("-X") + 1] if "-X" in words else "GET"
        kind = next((word.partition("=")[2] for word in words if word.startswith("file_type=")), "")
        return f"{method} {self.url.removeprefix(HOST)}{f'?file_type={kind}' if kind else ''}"


@cache
def samples() -> tuple[Sample, ...]:
    """Every sample of the document, in its order."""
    text = DOCUMENT.read_text()
    starts = [found.start() for found in re.finditer(r"^curl ", text, re.MULTILINE)]
    ends = [*starts[1:], len(text)]
    commands = [_command(text[start:]) for start in starts]
    after = [text[start + len(command) : end] for start, command, end in zip(starts, commands, ends, strict=True)]
    told = [_ANSWER.search(one) for one in after]
    made: list[Sample] = []
    for number in range(len(commands), 0, -1):
        found, said = told[number - 1], after[number - 1]
        shown = json.JSONDecoder().raw_decode(said[found.end() :])[0] if found else None
        sample = Sample(number, commands[number - 1], shown, frozenset(_nullable(said)))
        if shown is None and made and made[0].url == sample.url:  # two commands, and one answer for both
            sample = replace(sample, answer=made[0].answer, nullable=made[0].nullable)
        made.insert(0, sample)
    return tuple(made)


def substituted(command: str, table: Mapping[str, str]) -> str:
    """The command with every placeholder replaced; the longer ones first, since one may stand in another."""
    for placeholder in sorted(table, key=len, reverse=True):
        command = command.replace(placeholder, table[placeholder])
    return command


def run(sample: Sample, table: Mapping[str, str], folder: Path, *, timeout_s: float = 60) -> Answer:
    """Let curl send a sample; `folder` takes what comes back."""
    head, body = folder / "head", folder / "body"
    kept = f" --silent --show-error --dump-header {head} --output {body}"
    direct = {**os.environ, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    command = substituted(sample.command, table) + kept
    subprocess.run(["bash", "-c", command], check=True, timeout=timeout_s, env=direct)
    first, *lines = head.read_text().strip().splitlines()
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return Answer(int(first.split()[1]), headers, body.read_bytes())


def differences(shown: Any, given: Any, nullable: frozenset[str], at: str = "answer") -> list[str]:
    """Where an answer lacks what the document shows: a key, a value's JSON type, a form of times or ids.

    Keys may be added (T-06). Each entry of a list is held against the first that is shown; there must be one. What is
    shown as null may be anything.
    """
    if shown is None or (given is None and at.rpartition(".")[2] in nullable):
        return []
    if isinstance(shown, dict) and isinstance(given, dict):
        return _keys_that_differ(shown, given, nullable, at)
    if isinstance(shown, list) and isinstance(given, list):
        found = [one for entry in given for one in differences(shown[0], entry, nullable, at)]
        return found if given else [f"{at} is empty"]
    kind = (int, float) if isinstance(shown, float) else type(shown)
    if not isinstance(given, kind) or isinstance(shown, bool) is not isinstance(given, bool):
        return [f"{at} is {given!r}, shown is {shown!r}"]
    return [] if _form(shown) == _form(given) else [f"{at} has the form {given!r}, shown is {shown!r}"]


def _keys_that_differ(shown: dict[str, Any], given: dict[str, Any], nullable: frozenset[str], at: str) -> list[str]:
    if all(key.isdecimal() for key in shown):  # years, months and days: the keys are data
        entries = [(next(iter(shown.values())), value, at) for value in given.values()]
        misnamed = [f"{at} has the key {key}" for key in given if len(key) != len(next(iter(shown)))]
        return misnamed + [one for entry in entries for one in differences(*entry[:2], nullable, entry[2])]
    lacking = [f"{at} lacks {key}" for key in shown if key not in given]
    known = [key for key in shown if key in given]
    return lacking + [one for key in known for one in differences(shown[key], given[key], nullable, f"{at}.{key}")]


def _form(value: Any) -> str:
    """What a time or an id looks like; "" for everything else."""
    if isinstance(value, str) and _MOMENT.fullmatch(value):
        return re.sub(r"\d", "0", value)
    return "uuid" if isinstance(value, str) and _UUID.fullmatch(value) else ""


def _command(text: str) -> str:
    """The command that a text begins with. Quotes do not tell: one sample has an apostrophe in its quoted body."""
    lines = text.splitlines()
    for count in range(1, len(lines)):
        command = "\n".join(lines[:count])
        in_body = re.search(r"(-d|--data-raw) '[^']", command) is not None
        if command.endswith("'") if in_body else not command.endswith("\\"):
            return command
    raise ValueError("the command does not end")


def _nullable(text: str) -> set[str]:
    return {name.rpartition(".")[2].removesuffix("[]") for name in _NULLABLE.findall(text)}
