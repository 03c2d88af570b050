"""Forms with a file: as clients really send them, as they should not, and cut off anywhere."""

import base64
import time
import tracemalloc
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callscribe.dialects.front import BodyTooLong, Malformed
from callscribe.dialects.transcripto import forms
from callscribe.dialects.transcripto.codes import Problem, Refused
from callscribe.errors import CallscribeError
from tests.dialects.conftest import http_event, read_answer
from tests.dialects.transcripto.world import AUDIO, World, multipart

FIELDS = ("directory_id", "operator_name")
BOUNDARY = "----WebKitFormBoundaryA1b2C3"
# As a browser and as curl write it, with what a preamble and an epilogue may hold.
FORM = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="operator_name"\r\n\r\nИван\r\n'
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="call.wav"\r\n'
    f"Content-Type: audio/x-wav\r\n\r\nRIFF\r\n--not the boundary\r\n\x00\x01\r\n"
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="directory_id"\r\n\r\n7\r\n'
    f"--{BOUNDARY}--\r\n"
).encode()
TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def read(folder: Path, body: bytes, content_type: str = TYPE) -> forms.Form:
    return forms.read(http_event("POST", "/x", body=body, headers={"content-type": content_type}), folder, FIELDS)


def part(disposition: str, content: bytes = b"x") -> bytes:
    return f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n\r\n".encode() + content + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join((*parts, f"--{BOUNDARY}--\r\n".encode()))


def test_T_12_fields_and_file_of_a_form_are_read_as_they_were_sent(tmp_path: Path) -> None:
    found = read(tmp_path, FORM)
    assert found.fields == {"operator_name": "Иван", "directory_id": "7"}
    assert found.file is not None
    assert (found.file.name, found.file.size_bytes) == ("call.wav", 28)
    assert found.file.path.read_bytes() == b"RIFF\r\n--not the boundary\r\n\x00\x01"


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('form-data; name="file"; filename="call.wav"', "call.wav"),
        ("form-data; name=file; filename=call.wav", "call.wav"),
        ('form-data; filename="call.wav"; name="file"', "call.wav"),
        ('FORM-DATA; NAME="file"; FILENAME="call.wav"', "call.wav"),
        ('form-data; name="file"; filename="звонок 1.wav"', "звонок 1.wav"),
        ("form-data; name=\"file\"; filename*=UTF-8''%D0%B7%D0%B2.wav", "зв.wav"),
        ('form-data; name="file"; filename="a \\"b\\"; c.wav"', 'a "b"; c.wav'),
        ('form-data; name="file"; filename="a%22b.wav"', "a%22b.wav"),
        ('form-data; name="file"; filename="/var/spool/../call.wav"', "call.wav"),
        ('form-data; name="file"; filename="C:\\Calls\\call.wav"', "call.wav"),
        ('form-data; name="file"; filename="../../etc/passwd"', "passwd"),
        ('form-data; name="file"; filename="a\tb\x00c.wav"', "a b c.wav"),
        ('form-data; name="file"; filename=".."', None),
        ('form-data; name="file"; filename=""', None),
        ('form-data; name="file"; filename="\u200b"', None),
        ('form-data; name="file"; filename="calls/\u200b \u2060"', None),
        ('form-data; name="file"; filename="\u200bcall.wav"', "\u200bcall.wav"),
        ('form-data; name="file"', None),
    ],
)
def test_T_12_a_file_is_called_as_its_client_calls_it_without_folders(
    tmp_path: Path, disposition: str, name: str | None
) -> None:
    found = read(tmp_path, form(part(disposition, b"\xffbytes")))
    assert found.file is not None
    assert found.file.name == name
    assert found.file.path.read_bytes() == b"\xffbytes"


def name_of(folder: Path, parameters: str) -> str | None:
    found = read(folder, form(part(f"form-data; name=file; {parameters}", b"\xffbytes")))
    assert found.file is not None
    return found.file.name


def encoded_word(text: str, charset: str = "utf-8") -> str:
    """In base64 (RFC 2047)."""
    return f"=?{charset}?B?{base64.b64encode(text.encode(charset)).decode()}?="


def as_dotnet_names(name: str) -> str:
    """As .NET's HttpClient writes a name that is not ASCII: in two forms."""
    return f"filename=\"{encoded_word(name)}\"; filename*=utf-8''{quote(name)}"


ZV = "%D0%B7%D0%B2.wav"


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        (as_dotnet_names("Анна.wav"), "Анна.wav"),
        (f"filename=\"call.wav\"; filename*=UTF-8''{ZV}", "зв.wav"),
        (f"filename*=UTF-8''{ZV}; filename=\"call.wav\"", "зв.wav"),
        (f"filename=\"{ZV}\"; filename*=utf-8''{ZV}", "зв.wav"),  # aiohttp
        (f"filename=\"=?UTF-8?Q?=D0=B7.wav?=\"; filename*=UTF-8''{ZV}", "зв.wav"),  # Spring
        (f"filename*=\"UTF-8''{ZV}\"", "зв.wav"),
        (f"filename*=utf8'ru'{ZV}", "зв.wav"),
        ("filename*=iso-8859-1'en'caf%E9.wav", "café.wav"),
        ("filename*=windows-1251''%E7%E2.wav", "зв.wav"),
        ("filename*0*=UTF-8''%D0%B7%D0; filename*1*=%B2; filename*2=.wav; filename=x", "зв.wav"),  # RFC 2231
        ("filename*=UTF-8''it's%20a%2Fb%5C%D0%B7%00.wav", "з .wav"),
        # What cannot be decoded gives way to the plain name, or comes as it is.
        ("filename*=UTF-8''%FF%FE.wav; filename=call.wav", "call.wav"),
        ("filename=call.wav; filename*=UTF-8''звонок.wav", "call.wav"),
        ("filename*=UTF-16''%01%02.wav; filename=call.wav", "call.wav"),
        ("filename*=punycode''a-b.wav; filename=call.wav", "call.wav"),
        ("filename*=a\x00b''a.wav; filename=call.wav", "call.wav"),
        ("filename*=other.wav; filename=call.wav", "call.wav"),
        ("filename*=UTF-8''; filename=call.wav", "call.wav"),
        ("filename*=; filename=call.wav", "call.wav"),
        ("filename*=UTF-8''звонок.wav", "звонок.wav"),
        ("filename*=UTF-8''%E9.wav", "é.wav"),
        ("filename*=call.wav", "call.wav"),
        ("filename*=", None),
    ],
)  # fmt: skip
def test_T_12_the_extended_form_of_a_name_is_the_exact_one_wherever_it_stands(
    tmp_path: Path, parameters: str, name: str | None
) -> None:
    assert name_of(tmp_path, parameters) == name


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (encoded_word("Анна, приём.wav"), "Анна, приём.wav"),
        (encoded_word("звонок.wav", "koi8-r"), "звонок.wav"),
        (encoded_word("звонок.wav", "WINDOWS-1251"), "звонок.wav"),
        ("=?utf-8?Q?=D0=B7=d0=b2_1=2C.wav?=", "зв 1,.wav"),
        ("=?iso-8859-1?q?caf=E9.wav?=", "café.wav"),
        ("=?utf-8*ru?Q?=D0=B7.wav?=", "з.wav"),
        ("=?utf-8?Q?=D0=B7?= =?utf-8?Q?_=D0=B2?= \t =?utf-8?B?LndhdgA?=", "з в.wav"),  # the last one ends with a NUL
        ("=?utf-8?B?0LfQ?= =?UTF-8?B?si53YXY=?=", "зв.wav"),  # cut within a character
        (f"{encoded_word('зв')}=?koi8-r?Q?=DA?=.wav", "звз.wav"),
        (f"день 1 {encoded_word('зв')}.wav", "день 1 зв.wav"),
        (encoded_word("C:\\Звонки\\день/зв.wav"), "зв.wav"),
        (f"calls/{encoded_word('зв.wav')}", "зв.wav"),
        (f"{encoded_word('../')}{encoded_word('..')}", None),
        ("=?utf-8?B??=", None),
        # What cannot be decoded stays, and is cut nowhere.
        ("=?utf-8?B?0J/Q?=", "=?utf-8?B?0J_Q?="),
        ("=?utf-8?B?not base64/?=", "=?utf-8?B?not base64_?="),
        ("=?utf-8?B?звонок?=", "=?utf-8?B?звонок?="),
        ("=?utf-8?Q?звонок?=", "=?utf-8?Q?звонок?="),
        ("=?utf-7?Q?+BDc-.wav?=", "=?utf-7?Q?+BDc-.wav?="),
        ("=?a\x00b?B?0J/R?=", "=?a b?B?0J_R?="),
        (f"{encoded_word('зв')} =?x-own?Q?calls/a?=", "=?utf-8?B?0LfQsg==?= =?x-own?Q?calls_a?="),
        ("=?utf-8?X?a/b?=", "b?="),  # no such coding, so no word
        ("=?calls?/what=?.wav", "what=?.wav"),
        ("why?=.wav", "why?=.wav"),
    ],
)
def test_T_12_encoded_words_in_a_name_are_read_before_it_is_cut(tmp_path: Path, given: str, name: str | None) -> None:
    assert name_of(tmp_path, f'filename="{given}"') == name
    assert forms.file_name(given) == name


def test_T_12_a_field_is_named_in_each_way_in_which_clients_name_the_file(tmp_path: Path) -> None:
    for name in ("directory_id", '"directory_id"', ' "directory_id" ', "directory_id ; other=x"):
        assert read(tmp_path, form(part(f"form-data; name={name}", b"7"))).fields == {"directory_id": "7"}
    assert read(tmp_path, form(part("form-data; name*=utf-8''directory%5Fid", b"7"))).fields == {"directory_id": "7"}


@pytest.mark.parametrize("as_named", [as_dotnet_names, lambda name: f'filename="{encoded_word(name)}"'])
def test_T_12_names_that_dotnet_sends_stay_apart_though_their_base64_ends_alike(
    as_named: Callable[[str], str],
) -> None:
    client, names = _world.client(), ["Анна, приём.wav", "Инна, приём.wav"]
    assert len({encoded_word(name).rsplit("/")[-1] for name in names}) == 1
    sent = [form(part(f"form-data; name=file; {as_named(name)}", AUDIO)) for name in (*names, names[0])]
    *made, again = [
        client.send("POST", "/addtaskcall", body=body, headers={"content-type": TYPE}).json for body in sent
    ]
    assert [answer["error_code"] for answer in (*made, again)] == [0, 0, 4091]
    assert again["code"] == made[0]["code"]
    shown = [client.send("GET", "/gettask", query=f"task_code={answer['code']}").json for answer in made]
    assert [task["file_name"] for task in shown] == names


@pytest.mark.parametrize(
    "unit", [";", '";', "a=;", ";a*=b", ";filename*=a", '\\"', "=?", "=?utf-8?B?", "=?x?B?/?= ", "=?utf-8?Q?=D0?= "]
)
def test_a_header_and_a_name_cost_time_by_their_length_alone(tmp_path: Path, unit: str) -> None:
    started_s = time.process_time()
    read(tmp_path, FORM, f'{TYPE}; other="{unit * (200_000 // len(unit))}"')
    forms.file_name(unit * (1_000_000 // len(unit)))
    assert time.process_time() - started_s < 2  # a header that is read from its start at each semicolon takes longer


def test_T_12_a_name_in_latin_1_is_read_and_a_long_one_comes_whole(tmp_path: Path) -> None:
    body = form(part('form-data; name="file"; filename="caf\xe9.wav"').decode().encode("latin-1"))
    found = read(tmp_path, body)
    assert found.file is not None
    assert found.file.name == "café.wav"
    assert forms.file_name("x" * 300) == "x" * 300
    assert forms.file_name("cafe\u0301.wav") == "café.wav"


@pytest.mark.parametrize("preamble", [b"\r\n", b"This is a multipart message.\r\n", b"--not the boundary\r\n" * 9])
def test_T_12_what_stands_before_the_first_boundary_tells_nothing(tmp_path: Path, preamble: bytes) -> None:
    assert read(tmp_path, preamble + FORM).fields == {"operator_name": "Иван", "directory_id": "7"}


@pytest.mark.parametrize("coding", ["binary", "8bit", "7BIT", " binary "])
def test_T_12_a_part_that_comes_as_it_is_may_say_so(tmp_path: Path, coding: str) -> None:
    found = read(tmp_path, form(part(f'form-data; name="directory_id"\r\nContent-Transfer-Encoding: {coding}', b"7")))
    assert found.fields == {"directory_id": "7"}


@pytest.mark.parametrize("name", ["file", "directory_id"])
@pytest.mark.parametrize("coding", ["base64", "Quoted-Printable", "x-uuencode"])
def test_T_12_a_part_in_another_coding_is_refused_by_its_name_and_with_words(
    tmp_path: Path, name: str, coding: str
) -> None:
    with pytest.raises(Malformed, match=f"{name}.*Content-Transfer-Encoding"):
        read(tmp_path, form(part(f'form-data; name="{name}"\r\nContent-Transfer-Encoding: {coding}', b"NwAA")))
    other = form(part(f'form-data; name="other"\r\nContent-Transfer-Encoding: {coding}', b"NwAA"))
    assert read(tmp_path, other).fields == {}


@pytest.mark.parametrize("typed", [b"/home/anna/call.wav", b"call.wav\n", "звонок.wav".encode(), b"x" * 1_024])
def test_T_12_a_path_that_was_typed_in_place_of_a_file_is_no_file(tmp_path: Path, typed: bytes) -> None:
    with pytest.raises(Refused, match="-F file=@PATH") as caught:
        read(tmp_path, form(part('form-data; name="file"', typed)))
    assert caught.value.problem is Problem.NO_FILE
    named = read(tmp_path, form(part('form-data; name="file"; filename="call.wav"', typed)))
    assert named.file is not None


@pytest.mark.parametrize("sound", [b"RIFF\x00\x01", b"\xff\xfb", b"", b"x" * 1_025])
def test_T_12_what_may_be_sound_is_taken_without_a_name(tmp_path: Path, sound: bytes) -> None:
    found = read(tmp_path, form(part('form-data; name="file"', sound)))
    assert found.file == forms.FormFile(None, tmp_path / "received", len(sound))


def test_T_12_a_form_without_a_file_has_none(tmp_path: Path) -> None:
    assert read(tmp_path, form(part('form-data; name="directory_id"', b"7"))) == forms.Form({"directory_id": "7"}, None)


def test_T_12_fields_in_the_way_of_a_plain_form_are_read_and_bring_no_file(tmp_path: Path) -> None:
    body = b"operator_name=%D0%98%D0%B2%D0%B0%D0%BD+I&directory_id=7&file=x&other=1"
    found = read(tmp_path, body, "application/x-www-form-urlencoded; charset=utf-8")
    assert found == forms.Form({"operator_name": "Иван I", "directory_id": "7"}, None)


def test_fields_that_nobody_asked_for_are_ignored_however_long(tmp_path: Path) -> None:
    body = form(part('form-data; name="other"', b"x" * 100_000), part('form-data; name="directory_id"', b"7"))
    assert read(tmp_path, body).fields == {"directory_id": "7"}


@pytest.mark.parametrize(
    "content_type", ["application/json", "", "audio/wav", "multipart/mixed; boundary=x", "text/plain"]
)
def test_T_12_a_body_of_another_type_brings_no_file(tmp_path: Path, content_type: str) -> None:
    with pytest.raises(Refused) as caught:
        read(tmp_path, b"{}", content_type)
    assert caught.value.problem is Problem.NO_FILE


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (FORM, "multipart/form-data"),
        (FORM, "multipart/form-data; boundary="),
        (FORM, "multipart/form-data; boundary=другая"),
        (FORM, f"multipart/form-data; boundary={'x' * 71}"),
        (FORM, "multipart/form-data; boundary=another"),
        (b"", TYPE),
        (b"not a form", TYPE),
        (FORM.replace(b"\r\n", b"\n"), TYPE),
        (form(part("form-data")), TYPE),
        (form(part('attachment; name="file"; filename="x"')), TYPE),
        (form(f"--{BOUNDARY}\r\n\r\nno header\r\n".encode()), TYPE),
        (form(part('form-data; name="file"', b"\xff"), part('form-data; name="file"', b"\xff")), TYPE),
        (form(part('form-data; name="directory_id"'), part('form-data; name="directory_id"')), TYPE),
        (form(part('form-data; name="operator_name"', b"\xff")), TYPE),
        (form(part('form-data; name="operator_name"', b"x" * 8_193)), TYPE),
        (form(*[part('form-data; name="other"')] * 51), TYPE),
        (form(part(f'form-data; name="file"; filename="{"x" * 5_000}"')), TYPE),
        (form(f"--{BOUNDARY}\r\n".encode() + b"X: y\r\n" * 9 + b"\r\n\r\n"), TYPE),
        (b"directory_id=1&directory_id=2", "application/x-www-form-urlencoded"),
        (b"a=1&" * 60, "application/x-www-form-urlencoded"),
        (b"operator_name=%ff", "application/x-www-form-urlencoded"),
        (b"\xff", "application/x-www-form-urlencoded"),
    ],
)  # fmt: skip
def test_T_12_what_is_no_form_is_refused_and_no_news(
    tmp_path: Path, body: bytes, content_type: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(Malformed):
        read(tmp_path, body, content_type)
    assert caplog.text == ""


@pytest.mark.parametrize("unit", [b"\r\n--xy", b"\r\n--x-y", b"\r\n--x\ry"])
def test_a_file_made_of_its_forms_own_boundary_costs_no_time(tmp_path: Path, unit: bytes) -> None:
    body = part('form-data; name="file"').replace(BOUNDARY.encode(), b"x") + unit * 3_000_000 + b"\r\n--x--\r\n"
    started_s = time.process_time()
    with pytest.raises(Malformed):
        read(tmp_path, body, "multipart/form-data; boundary=x")
    assert time.process_time() - started_s < 2  # byte by byte it would be six


def test_a_plain_form_that_is_too_long_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BodyTooLong):
        read(tmp_path, b"operator_name=" + b"x" * 70_000, "application/x-www-form-urlencoded")


def test_a_body_that_is_no_base64_is_refused(tmp_path: Path) -> None:
    event = http_event("POST", "/x", body=FORM, headers={"content-type": TYPE})
    with pytest.raises(Malformed):
        forms.read({**event, "body": "!" + event["body"]}, tmp_path, FIELDS)


@pytest.mark.parametrize("end", range(0, len(FORM) - 3, 3))
def test_T_12_a_form_that_is_cut_off_anywhere_is_refused(tmp_path: Path, end: int) -> None:
    with pytest.raises(Malformed):
        read(tmp_path, FORM[:end])


def test_T_L1_a_long_file_comes_through_whole_and_its_form_is_never_twice_in_memory(tmp_path: Path) -> None:
    file = bytes(range(256)) * 80_000  # 20 MB
    sent = multipart({"directory_id": "7"}, file=file)
    event: dict[str, Any] = http_event("POST", "/x", **sent)
    size_bytes = len(event["body"])
    del sent
    tracemalloc.start()
    try:
        found = forms.read(event, tmp_path, FIELDS)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert "body" not in event
    assert found.file is not None
    assert found.file.path.read_bytes() == file
    assert peak_bytes < 8_000_000 < size_bytes


ANYTHING = st.one_of(
    st.binary(max_size=300),
    st.builds(lambda head, tail: FORM[: len(FORM) * head // 100] + tail, st.integers(0, 100), st.binary(max_size=40)),
    st.builds(
        lambda at, byte: FORM[: at % len(FORM)] + bytes([byte]) + FORM[at % len(FORM) + 1 :],
        st.integers(0, 10_000),
        st.integers(0, 255),
    ),
    st.lists(
        st.sampled_from(
            [
                *(f"--{BOUNDARY}".encode(), b"\r\n", b"--", b"Content-Disposition: form-data", b'; name="file"', b": "),
                *(b"; filename*=UTF-8''%D0", b'; filename="', b"; filename*0*=x''", b'"', b"\n", b"name*1", b"=", b"\xff"),
                *(b"=?utf-8?B?", b"=?koi8-r?Q?", b"=D0/", b"?= ", b"; name=file", b"; filename=", b"\\", b"\r\n\r\n"),
            ]
        ),
        max_size=30,
    ).map(b"".join),
)  # fmt: skip
TYPES = st.one_of(st.just(TYPE), st.text(max_size=60), st.text(max_size=20).map(lambda text: f"{TYPE}; {text}"))


@settings(max_examples=1_000, suppress_health_check=list(HealthCheck))
@given(body=ANYTHING, content_type=TYPES)
def test_any_bytes_are_a_form_or_are_refused(tmp_path: Path, body: bytes, content_type: str) -> None:
    event = {
        "headers": {"content-type": content_type},
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }
    try:
        found = forms.read(event, tmp_path, FIELDS)
    except CallscribeError:
        return
    assert set(found.fields) <= set(FIELDS)
    if found.file is not None:
        assert found.file.path.stat().st_size == found.file.size_bytes
        assert found.file.path.parent == tmp_path


@settings(max_examples=500)
@given(
    given_name=st.text(max_size=300)
    | st.lists(st.sampled_from(["=?utf-8?B?", "=?utf-8?q?", "=?koi8-r?B?", "Ly4u", "=2F", "=2E=2E", "/", "?=", " ", "\\"]))
    .map("".join)
)  # fmt: skip
def test_no_file_name_leads_anywhere(given_name: str) -> None:
    name = forms.file_name(given_name)
    if name is not None:
        assert Path(name).name == name
        assert name not in (".", "..")
        assert len(name) <= len(unicodedata.normalize("NFC", given_name))
        name.encode()


_world = World()
_client = _world.client()


@pytest.mark.parametrize("path", ["/addtaskcall", "/addtaskaudio"])
@settings(max_examples=200)
@given(body=ANYTHING, content_type=TYPES)
def test_T_02_any_bytes_get_an_answer_of_ours(path: str, body: bytes, content_type: str) -> None:
    event = {
        **http_event("POST", path, body=body),
        "headers": {"content-type": content_type, "authorization": f"Bearer {_client.token}"},
    }
    answer = read_answer(_client.handler(event, None))
    assert answer.status == 200
    assert answer.json["error_code"] in (0, 4001, 4024, 4091)
    assert answer.json["success"] is (answer.json["error_code"] == 0)
