"""Log-in and tariff: rows T-01, T-03, T-05, T-10, T-11, T-A4, T-A8 to T-A11 and T-A24."""

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NoReturn

import jwt
import pytest

from callscribe.adapters.memory.task_index import MemoryTaskIndex
from callscribe.dialects.transcripto.accounts.prices import price_of
from callscribe.dialects.transcripto.accounts.schemas import LoginAnswer, TariffAnswer
from callscribe.dialects.transcripto.texts import language_of
from callscribe.domain.prices import Account
from callscribe.domain.tariffs import DAY_MS, TARIFFS, Tariff
from callscribe.errors import Unavailable, Unreadable
from callscribe.ports import Settings
from callscribe.services import accounts, directories, ledger, tariffs, tokens, users
from tests.dialects.conftest import Answer, Client
from tests.dialects.transcripto.world import LOGIN, PASSWORD, SomeUser, World, client_hash

TARIFF = "/user/tariff"
MICROSECONDS = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z")
# The tariff of the document's samples.
SAMPLE = Tariff(
    4,
    "Enterprise",
    "sample",
    152,
    9_655,
    10_000,
    3_000,
    500,
    25,
    text_tokens=600_000,
    image_tokens=10_000,
    image_generation=True,
    prices={"USD": 99.9, "EUR": 89.5},
)

# What the document shows, with what is spent in the test of T-11; its dates apart.
DOCUMENTED = {
    "id": 4,
    "name": "Enterprise",
    "identifier": "sample",
    "days_left": 152,
    "text_tokens": 600_000,
    "image_tokens": 10_000,
    "limits": {
        "audio_minutes": 10_000,
        "call_minutes": 9_655,
        "text_tokens": 600_000,
        "image_tokens": 10_000,
        "report_count": 25,
        "video_minutes": 3_000,
        "chat_count": 500,
    },
    "remaining_resources": {
        "available_audio_minutes": 4_994,
        "available_call_minutes": 9_655,
        "available_text_tokens": 600_000,
        "available_image_tokens": 10_000,
        "available_report_count": 24,
        "available_video_minutes": 2_980,
        "available_chat_count": 500,
    },
    "usage": {
        "used_audio_minutes": 5_006,
        "used_call_minutes": 0,
        "used_text_tokens": 0,
        "used_image_tokens": 0,
        "used_report_count": 1,
        "used_video_minutes": 20,
        "used_chat_count": 0,
    },
    "transcription_enabled": True,
    "image_generation_enabled": True,
    "calls_enabled": True,
    "price": {"currency": "USD", "value": 99.9},
}


def log_in(world: World, user: SomeUser, headers: Mapping[str, str] | None = None, **changes: Any) -> Answer:
    return world.anonymous.send("POST", LOGIN, fields={**user.log_in, **changes}, headers=headers)


def refused(answer: Answer, code: int) -> str:
    assert (answer.status, answer.json["success"], answer.json["error_code"]) == (200, False, code), answer.text
    return str(answer.json["error_message"])


def spend(world: World, tenant_id: str, account: Account, amount: int, hold_id: str) -> None:
    ledger.hold(
        world.deps,
        tenant_id=tenant_id,
        hold_id=hold_id,
        account=account,
        amount=amount,
        deadline_at_ms=world.clock() + DAY_MS,
    )
    ledger.settle(world.deps, tenant_id=tenant_id, hold_id=hold_id)


def with_sample(**settings: Any) -> tuple[World, SomeUser]:
    world = World(settings=Settings(tariffs=(*TARIFFS, SAMPLE), **settings))
    return world, world.user(tenant_id=world.tenant(tariff=SAMPLE.identifier))


def test_T_10_a_login_is_answered_without_lists_while_there_are_none_to_be_had() -> None:
    """Whoever cannot read lists for a while can still do all else."""
    index = MemoryTaskIndex()
    world = World(overrides={"task_index": index})
    user = world.user()
    world.add_call(world.client_of(user))

    def unreadable(*_: object, **__: object) -> NoReturn:
        raise Unreadable(["2026-01"])

    index.find = index.days = index.latest = unreadable  # type: ignore[method-assign]  # a fake that fails
    body = log_in(world, user).json
    assert (body["success"], body["last_tasks"], body["call_activity_tree"]) == (True, [], {})
    LoginAnswer.model_validate(body)
    assert body["token"]


def test_T_10_a_login_answers_token_tariff_directories_last_tasks_and_activity() -> None:
    world, user = with_sample()
    client = world.client_of(user)
    directories.create(world.deps, user.tenant_id, name="Website promotion")
    codes = [world.add_call(client, file_name=f"call-{number}.wav") for number in range(6)]
    answer = log_in(world, user)
    body = answer.json
    LoginAnswer.model_validate_json(answer.text)
    assert (body["message"], body["error_code"], body["locale"]) == ("Login successful", 0, "en")
    assert (body["user_id"], body["email"]) == (1, user.email)
    assert body["directories"] == [{"id": 1, "name": "Website promotion"}]
    assert len(body["last_tasks"]) == 5
    assert {task["id"] for task in body["last_tasks"]} <= set(codes)
    newest = body["last_tasks"][0]
    assert newest.keys() == {"directory_id", "status", "id", "created_at", "file_path", "task_length"}
    assert (newest["directory_id"], newest["status"]) == (None, "pending")
    assert newest["file_path"] == f"call-{codes.index(newest['id'])}.wav"
    assert MICROSECONDS.fullmatch(newest["created_at"])
    (year,) = body["call_activity_tree"].values()
    (month,) = year.values()
    assert list(month.values()) == [6]
    assert world.anonymous.with_token(body["token"]).send("GET", TARIFF).json["success"] is True


def test_T_10_the_tariff_of_a_login_has_the_documented_fields_and_no_others() -> None:
    world, user = with_sample()
    spend(world, user.tenant_id, Account.AUDIO_SECONDS, 60 * 5_006, "h1")
    tariff = log_in(world, user).json["tariff"]
    dates = {name: tariff.pop(name) for name in ("start_date", "end_date")}
    assert all(MICROSECONDS.fullmatch(date) for date in dates.values())
    assert tariff == {
        "id": 4,
        "name": "Enterprise",
        "identifier": "sample",
        "days_left": 152,
        "remaining_resources": {
            "available_audio_minutes": 4_994,
            "available_call_minutes": 9_655,
            "available_text_tokens": 600_000,
            "available_image_tokens": 10_000,
        },
        "usage": {
            "used_audio_minutes": 5_006,
            "used_call_minutes": 0,
            "used_text_tokens": 0,
            "used_image_tokens": 0,
        },
        "transcription_enabled": True,
        "image_generation_enabled": True,
        "calls_enabled": True,
    }


@pytest.mark.parametrize(
    ("given", "day"),
    [
        ({"call_date": "2025-10-20"}, "2025-10-20"),
        ({"call_datetime": "2025-10-20T01:00:00+03:00"}, "2025-10-19"),
        ({"call_date": "2025-10-20", "call_datetime": "2025-10-18T23:00:00+00:00"}, "2025-10-18"),
    ],
)
def test_T_10_T_18_a_call_counts_on_the_day_on_which_a_filter_finds_it(
    world: World, given: dict[str, Any], day: str
) -> None:
    user = world.user()
    client = world.client_of(user)
    world.add_call(client, **given)
    year, month, day_of_month = day.split("-")
    assert log_in(world, user).json["call_activity_tree"] == {year: {month: {day_of_month: 1}}}
    found = client.send("POST", "/tasks/filter", fields={"date_from": day, "date_to": day}).json
    assert found["pagination"]["total_tasks"] == 1


def test_T_10_an_e_mail_address_is_taken_in_any_case(world: World) -> None:
    user = world.user(email="anna@example.com")
    assert log_in(world, user, email="Anna@Example.COM").json["email"] == "anna@example.com"


@pytest.mark.parametrize("written", [" anna@example.com", "anna@example.com\n", "\t Anna@example.com\u00a0"])
def test_T_10_blanks_round_an_e_mail_address_are_no_part_of_it(world: World, written: str) -> None:
    user = world.user(email="anna@example.com")
    assert log_in(world, user, email=written).json["email"] == "anna@example.com"
    refused(log_in(world, user, email=written, password_hash=f" {client_hash(PASSWORD)}"), 4023)


def test_T_10_a_task_whose_directory_is_gone_lies_in_none(world: World) -> None:
    user = world.user()
    kept, gone = (directories.create(world.deps, user.tenant_id, name=name).id for name in ("kept", "gone"))
    client = world.client_of(user)
    for directory_id in (kept, gone):
        world.add_call(client, file_name=f"{directory_id}.wav", directory_id=directory_id)
    assert {task["directory_id"] for task in log_in(world, user).json["last_tasks"]} == {kept, gone}
    assert client.send("DELETE", f"/user/directories/delete/{gone}").json["success"] is True
    body = log_in(world, user).json
    assert [one["id"] for one in body["directories"]] == [kept]
    shown = {task["file_path"]: task["directory_id"] for task in body["last_tasks"]}
    assert shown == {f"{kept}.wav": kept, f"{gone}.wav": None}


def test_T_10_a_tenant_that_never_had_a_tariff_logs_in_with_none(world: World) -> None:
    answer = log_in(world, world.user(tenant_id=world.tenant(tariff=None)))
    LoginAnswer.model_validate_json(answer.text)
    assert (answer.json["success"], answer.json["tariff"]) == (True, None)
    assert (answer.json["last_tasks"], answer.json["call_activity_tree"]) == ([], {})


@pytest.mark.parametrize("field", ["email", "password_hash", "captcha_token"])
def test_T_10_each_field_of_a_login_is_required(world: World, field: str) -> None:
    user = world.user()
    without: dict[str, Any] = {name: value for name, value in user.log_in.items() if name != field}
    for fields in (without, *(without | {field: blank} for blank in (None, "", "  "))):
        assert field in refused(world.anonymous.send("POST", LOGIN, fields=fields), 4002)
    assert field in refused(world.anonymous.send("POST", LOGIN, fields=without | {field: 7}), 4001)
    assert log_in(world, user).json["success"] is True


def test_T_10_somebody_who_guesses_is_told_when_to_come_again(world: World) -> None:
    user = world.user()
    for _ in range(world.settings.failed_logins):
        refused(log_in(world, user, password_hash=client_hash("a guess")), 4023)
    answer = log_in(world, user)  # the right password, too
    refused(answer, 4023)
    wait_s = int(answer.headers["retry-after"])
    assert 0 < wait_s <= 900
    world.clock.advance(wait_s)
    assert log_in(world, user).json["success"] is True


def test_T_10_blanks_round_a_name_buy_nobody_who_guesses_another_try(world: World) -> None:
    user = world.user()
    for blanks in range(world.settings.failed_logins):
        refused(log_in(world, user, email=f"{' ' * blanks}{user.email}\t", password_hash=client_hash("a guess")), 4023)
    for email in (user.email, f"  {user.email}", f"{user.email}\n"):
        answer = log_in(world, user, email=email)  # by the right password, too
        refused(answer, 4023)
        assert int(answer.headers["retry-after"]) > 0


def test_T_01_the_tariff_needs_a_token_and_the_login_none(world: World) -> None:
    refused(world.anonymous.send("GET", TARIFF), 4023)
    refused(world.anonymous.with_token("no token").send("GET", TARIFF), 4023)
    token = log_in(world, world.user()).json["token"]
    assert world.anonymous.with_token(token).send("GET", TARIFF).json["success"] is True


def test_T_05_users_are_counted_per_tenant(world: World) -> None:
    first = world.user()
    second, of_another = world.user(tenant_id=first.tenant_id), world.user()
    assert [log_in(world, user).json["user_id"] for user in (first, second, of_another)] == [1, 2, 1]


def test_T_03_locale_and_message_follow_accept_language(world: World) -> None:
    user = world.user()
    said = {}
    for accepted in ("ru", "en", "ru-RU,en;q=0.5", "de", ""):
        body = log_in(world, user, {"accept-language": accepted}).json
        said[accepted] = (body["locale"], body["message"])
    english, russian = ("en", "Login successful"), ("ru", "Вход выполнен")
    assert said == {"ru": russian, "en": english, "ru-RU,en;q=0.5": russian, "de": english, "": english}


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("ru_RU", "ru"),
        ("ru_RU.UTF-8", "ru"),
        ("RU_ru;q=0.9,en_US;q=0.8", "ru"),
        ("ru;q=1.0;x=y", "ru"),
        ("ru;x=y;q=0.9, en;q=0.5;x=1", "ru"),
        ("en;q=0.5;x=1, ru ; Q = 0.9", "ru"),
        ("ru;", "ru"),
        ("en;q=0.1, xx;q=nan, ru;q=0.9", "ru"),
        ("ru;q=0;x=1", "en"),
        ("ru;x=y;q=0.1, en", "en"),
        ("ru;q=;x=1", "en"),
        ("ru;q=x", "en"),
        ("rus_RU", "en"),
        ("_ru", "en"),
    ],
)
def test_T_03_a_language_is_read_as_clients_write_it(accepted: str, language: str) -> None:
    assert language_of(accepted) == language


@pytest.mark.parametrize(
    ("accepted", "price"),
    [
        ("en", ("USD", 99.9)),
        ("en-US", ("USD", 99.9)),
        ("es-US,es;q=0.9", ("USD", 99.9)),
        ("en-GB", ("EUR", 89.5)),  # it has no price in pounds
        ("ru", ("EUR", 89.5)),  # nor in roubles
        ("de-DE", ("EUR", 89.5)),
        ("ru;q=0.9, en-US;q=0.1", ("EUR", 89.5)),
        ("en-Latn-US", ("USD", 99.9)),
        ("es_US", ("USD", 99.9)),
        ("en_US;q=0.9;x=y", ("USD", 99.9)),
        ("", ("EUR", 89.5)),
        ("*", ("EUR", 89.5)),
        ("en-US;q=0", ("EUR", 89.5)),
        (",;=-,--,\u0000", ("EUR", 89.5)),
    ],
)
def test_T_03_the_price_is_that_of_the_region(accepted: str, price: tuple[str, float]) -> None:
    world, user = with_sample()
    answer = world.client_of(user).send("GET", TARIFF, headers={"accept-language": accepted})
    assert answer.json["tariff"]["price"] == {"currency": price[0], "value": price[1]}


def test_T_03_roubles_are_shown_where_the_tariff_has_them_and_nothing_where_it_has_no_price() -> None:
    only = Tariff(1, "One", "one", 30, 1, 1, 1, 1, 1, prices={"RUB": 100})
    assert price_of(only, "ru") == {"currency": "RUB", "value": 100}
    assert price_of(only, "en-US") is None


def test_T_11_the_tariff_has_the_documented_fields_and_no_others() -> None:
    world, user = with_sample()
    spend(world, user.tenant_id, Account.AUDIO_SECONDS, 60 * 5_006, "h1")
    spend(world, user.tenant_id, Account.VIDEO_SECONDS, 60 * 20, "h2")
    spend(world, user.tenant_id, Account.REPORTS, 1, "h3")
    answer = world.client_of(user).send("GET", TARIFF, headers={"accept-language": "en"})
    TariffAnswer.model_validate_json(answer.text)
    tariff = answer.json["tariff"]
    dates = [tariff.pop(name) for name in ("start_date", "end_date")]
    assert all(MICROSECONDS.fullmatch(date) for date in dates)
    starts, ends = (datetime.fromisoformat(date) for date in dates)
    assert ((ends - starts).days, starts.timestamp() * 1000) == (152, world.clock())
    assert tariff == DOCUMENTED


def figures(client: Client) -> tuple[int, int]:
    tariff = client.send("GET", TARIFF).json["tariff"]
    return tariff["remaining_resources"]["available_call_minutes"], tariff["usage"]["used_call_minutes"]


def test_T_11_a_started_minute_is_used_what_is_held_too_and_nothing_is_used_below_none() -> None:
    world, user = with_sample()
    client = world.client_of(user)
    spend(world, user.tenant_id, Account.CALL_SECONDS, 1, "h1")
    assert figures(client) == (9_654, 1)
    world.add_call(client)
    assert figures(client) == (9_654, 1)  # 59 s were left of that minute, and the call takes less
    ledger.top_up(world.deps, tenant_id=user.tenant_id, account=Account.CALL_SECONDS, amount=600, reference="a gift")
    assert figures(client) == (9_664, 0)


def test_T_11_days_are_counted_up_and_never_below_none(world: World) -> None:
    user = world.user()
    client = world.client_of(user)
    left = []
    for advanced_s in (0, 1, 86_400 - 1, 30 * 86_400):
        world.clock.advance(advanced_s)
        token = tokens.issue(world.deps, accounts.principal_of(user.user)).token
        left.append(client.with_token(token).send("GET", TARIFF).json["tariff"]["days_left"])
    assert left == [30, 30, 29, 0]


def test_T_11_who_has_no_tariff_is_told_so(world: World) -> None:
    client = world.client(tenant_id=world.tenant(tariff=None))
    assert "tariff" in refused(client.send("GET", TARIFF), 4044)


def test_T_A4_both_spellings_of_the_code_are_there(world: World) -> None:
    user = world.user()
    tariff = world.client_of(user).send("GET", TARIFF).json
    assert (tariff["success"], tariff["errorcode"], tariff["error_code"]) == (True, 0, 0)
    assert log_in(world, user).json["success"] is True
    bare = world.client(tenant_id=world.tenant(tariff=None)).send("GET", TARIFF).json
    assert (bare["success"], bare["errorcode"], bare["error_code"]) == (False, 4044, 4044)
    assert world.anonymous.send("GET", TARIFF).json["errorcode"] == 4023


def test_T_A8_a_token_that_has_expired_is_told_apart_from_one_that_is_none(world: World) -> None:
    user = world.user()
    client = world.anonymous.with_token(log_in(world, user).json["token"])
    world.clock.advance(86_400)
    assert "expired" in refused(client.send("GET", TARIFF), 4023)
    assert "expired" not in refused(client.with_token("x.y.z").send("GET", TARIFF), 4023)


def test_T_A8_unknown_wrong_malformed_and_disabled_are_refused_alike(world: World) -> None:
    user, off = world.user(), world.user()
    users.disable_user(world.deps, tenant_id=off.tenant_id, user_id=off.user.id)
    wrong: list[dict[str, Any]] = [
        {"email": "nobody@example.com"},
        {"password_hash": client_hash("wrong")},
        {"password_hash": "no digest"},
        {"password_hash": PASSWORD},
    ]
    said = {log_in(world, user, **changes).text for changes in wrong} | {log_in(world, off).text}
    assert len(said) == 1
    refused(log_in(world, off), 4023)


@pytest.mark.parametrize("algorithm", ["sha512", "sha256"])
def test_T_A9_either_digest_of_the_password_logs_in_in_either_case(world: World, algorithm: str) -> None:
    user = world.user(password="пароль: é")
    for written in (digest := client_hash("пароль: é", algorithm), digest.upper()):
        assert log_in(world, user, password_hash=written).json["success"] is True


def test_T_A9_an_algorithm_that_the_operator_does_not_allow_is_refused() -> None:
    world = World(settings=Settings(client_hashes=("sha512",)))
    user = world.user()
    refused(log_in(world, user, password_hash=client_hash(PASSWORD, "sha256")), 4023)
    assert log_in(world, user).json["success"] is True


def test_T_A9_neither_password_nor_digest_is_stored(world: World) -> None:
    stored = repr(world.user().user)
    for algorithm in ("sha512", "sha256"):
        assert hashlib.new(algorithm, PASSWORD.encode()).hexdigest() not in stored
    assert stored.count("scrypt$ln=14,r=8,p=5$") == 3


def test_T_A10_any_token_will_do_unless_a_service_judges_it() -> None:
    asked = []

    def judge(token: str, *, address: str) -> bool:
        asked.append((token, address))
        return token == "good"

    assert log_in(open_world := World(), open_world.user(), captcha_token="anything").json["success"] is True
    world = World(overrides={"captcha": judge})
    user = world.user()
    assert "captcha" in refused(log_in(world, user, captcha_token="bad"), 4023)
    assert log_in(world, user, captcha_token="good").json["success"] is True
    assert asked == [("bad", "203.0.113.7"), ("good", "203.0.113.7")]


def test_T_A10_while_the_service_does_not_answer_nobody_logs_in() -> None:
    def silent(token: str, *, address: str) -> bool:
        raise Unavailable(f"no answer for {len(token)} characters from {address}")

    world = World(overrides={"captcha": silent})
    assert "203.0.113.7" not in refused(log_in(world, world.user()), 5000)


@pytest.mark.parametrize(("settings", "life_s"), [({}, 86_400), ({"login_life_s": 900}, 900)])
def test_T_A11_a_token_lives_for_a_day_or_as_long_as_the_operator_says(settings: dict[str, Any], life_s: int) -> None:
    world = World(settings=Settings(**settings))
    token = log_in(world, world.user()).json["token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == life_s
    client = world.anonymous.with_token(token)
    world.clock.advance(life_s - 1)
    assert client.send("GET", TARIFF).json["success"] is True
    world.clock.advance(1)
    refused(client.send("GET", TARIFF), 4023)


def test_T_A24_tariffs_are_the_operators_configuration() -> None:
    world, user = with_sample()
    tariffs.subscribe(world.deps, user.tenant_id, "pro", days=7)
    shown = world.client_of(user).send("GET", TARIFF).json["tariff"]
    assert (shown["name"], shown["days_left"], shown["limits"]["call_minutes"]) == ("Pro", 7, 5_000)
    assert shown["price"] == {"currency": "EUR", "value": 400.0}
    gone = World(store=world.store, settings=Settings(tariffs=(SAMPLE,)))
    refused(gone.client_of(user).send("GET", TARIFF), 4044)
