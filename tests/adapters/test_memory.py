"""What the fakes offer beyond the ports: clocks, expiry, streams, programmed answers and faults."""

from pathlib import Path

import pytest

from callscribe.adapters.memory import (
    CountedBytes,
    Crash,
    ManualClock,
    MemoryDownloads,
    MemoryExecutions,
    MemoryInspector,
    MemoryObjects,
    MemoryQueue,
    MemoryStore,
    MemoryTaskReports,
    MemoryWebhooks,
    Moment,
    RaiseAt,
    Trace,
    UrlRefused,
    When,
    faulty,
    faulty_deps,
    memory_deps,
)
from callscribe.domain.audio import AudioLimits
from callscribe.domain.callbacks import Answer, Callback
from callscribe.domain.counters import Counter
from callscribe.domain.jobs import IdempotencyRecord, Job
from callscribe.domain.records import insert, update
from callscribe.errors import FailureCode, JobFailed, OutboundFailed, OutboundRefused, Unavailable
from callscribe.ports import ObjectInfo, SentAs
from tests.adapters.records import a_callback, a_job

WORK = {"tenant_id": "t1", "job_id": "j1", "task_token": "token"}


def test_the_stream_tells_of_inserts_only_and_after_they_are_stored() -> None:
    store, seen = MemoryStore(), []
    store.on_insert(Callback, lambda row: seen.append((row, store.get(Callback, "t1", "j1", row.replay))))
    store.commit(insert(a_callback()), insert(a_job()))
    store.commit(update(a_callback(), attempts=1))
    assert seen == [(a_callback(), a_callback())]


def test_a_callback_of_the_stream_may_commit_itself() -> None:
    store = MemoryStore()
    store.on_insert(Callback, lambda row: store.commit(insert(a_job(id=row.job_id))))
    store.commit(insert(a_callback()))
    assert store.all(Job) == [a_job()]


def test_expired_records_go_when_the_table_gets_to_it() -> None:
    store = MemoryStore()
    store.commit(*[insert(IdempotencyRecord("t1", "presign", f"k{ms}", "sha", "j1", forget_at_ms=ms)) for ms in (1, 2)])
    assert store.remove_expired(now_ms=1) == 1
    assert [record.key for record in store.all(IdempotencyRecord)] == ["k2"]


def test_a_counter_that_was_forgotten_starts_anew() -> None:
    store = MemoryStore()
    assert [store.count("t1", "minute", forget_at_ms=1), store.count("t1", "minute", forget_at_ms=2)] == [1, 2]
    assert store.remove_expired(now_ms=1) == 1
    assert store.count("t1", "minute", forget_at_ms=3) == 1
    assert store.all(Counter) == [Counter("t1", "minute", value=1, forget_at_ms=3, version=1)]


def test_a_url_leads_to_its_bytes_or_to_its_error_and_others_to_nobody(tmp_path: Path) -> None:
    gone = OutboundFailed("status", "the other side answered 404")
    web = MemoryDownloads({"https://a.example/1": b"12345", "https://a.example/2": gone})
    path = tmp_path / "file"
    kinds = []
    for url, max_bytes in (("https://a.example/1", 4), ("https://a.example/2", 5), ("https://b.example/", 5)):
        with pytest.raises(OutboundFailed) as caught:
            web.download(url, path, max_bytes=max_bytes, total_s=1)
        kinds.append(caught.value.kind)
        assert not path.exists()
    web.download("https://a.example/1", path, max_bytes=5, total_s=1)
    assert kinds == ["too_large", "status", "connect"]
    assert path.read_bytes() == b"12345"
    assert web.asked == [f"https://{place}" for place in ("a.example/1", "a.example/2", "b.example/", "a.example/1")]


def test_a_refused_url_is_not_asked_for(tmp_path: Path) -> None:
    web = MemoryDownloads({"https://a.example/": b"12345"})
    web.refuse["https://a.example/"] = "port"
    for call in (web.check, lambda url: web.download(url, tmp_path / "file", max_bytes=5, total_s=1)):
        with pytest.raises(OutboundRefused):
            call("https://a.example/")
    assert web.asked == []


def test_versions_of_a_bucket_never_share_an_id_even_after_an_erasure() -> None:
    objects = MemoryObjects(ManualClock())
    first = objects.put("k", b"one")
    objects.erase("k")
    assert objects.put("k", b"two") != first
    assert objects.keys() == ["k"]


def test_a_presigned_url_serves_one_method_until_it_expires() -> None:
    clock = ManualClock()
    objects = MemoryObjects(clock)
    put, get = objects.presign_put("k", expires_s=60), objects.presign_get("k", expires_s=60)
    assert objects.upload(put, b"one") == "v1"
    assert objects.fetch(get) == b"one"
    with pytest.raises(UrlRefused):
        objects.upload(get, b"two")
    with pytest.raises(UrlRefused):
        objects.fetch(get.replace("method=GET", "method=ANY"))
    clock.advance(59)
    assert objects.upload(put, b"two") == "v2"
    clock.advance(1)
    with pytest.raises(UrlRefused):
        objects.upload(put, b"three")
    assert objects.read("k") == b"two"


def test_a_presigned_url_may_name_a_version_and_the_headers_that_go_with_it() -> None:
    objects = MemoryObjects(ManualClock())
    first = objects.put("k", b"one")
    objects.put("k", b"two")
    how = SentAs(first, "audio/wav", "attachment")
    url = objects.presign_get("k", expires_s=60, sent_as=how)
    assert (objects.fetch(url), objects.sent_as(url)) == (b"one", how)
    assert objects.fetch(objects.presign_get("k", expires_s=60)) == b"two"
    with pytest.raises(UrlRefused):
        objects.sent_as(objects.presign_put("k", expires_s=60))


def test_an_unversioned_bucket_has_no_version_ids() -> None:
    objects = MemoryObjects(ManualClock(), versioned=False)
    assert objects.put("k", b"one") is None
    assert objects.put("k", b"three") is None
    assert objects.head("k") == ObjectInfo(5, None)
    assert objects.keys() == ["k"]


def test_the_clock_moves_only_forward_and_only_when_told() -> None:
    clock = ManualClock(1_000)
    assert (clock(), clock.advance(0.5), clock()) == (1_000, 1_500, 1_500)
    with pytest.raises(ValueError, match="backwards"):
        clock.advance(-1)


def test_hidden_work_comes_back_when_its_visibility_runs_out() -> None:
    clock = ManualClock()
    queue = MemoryQueue(clock, visibility_s=30)
    queue.send(WORK)
    (message,) = queue.receive(max_messages=1, wait_s=0)
    queue.extend(message, visibility_s=60)
    clock.advance(59)
    assert queue.receive(max_messages=1, wait_s=0) == []
    clock.advance(1)
    (again,) = queue.receive(max_messages=1, wait_s=0)
    queue.delete(message)  # an outdated receipt
    assert queue.bodies == [WORK]
    queue.delete(again)
    assert queue.bodies == []


def test_a_message_that_was_received_too_often_is_a_dead_letter() -> None:
    clock = ManualClock()
    queue = MemoryQueue(clock, visibility_s=30, max_receives=2)
    queue.send({"no": "work"})
    for _ in range(3):
        assert queue.receive(max_messages=1, wait_s=0) == []
        clock.advance(30)
    assert (queue.bodies, queue.dead_letters) == ([], [{"no": "work"}])


def test_a_trigger_takes_every_visible_message() -> None:
    queue = MemoryQueue(ManualClock())
    queue.send({"n": 1})
    queue.send({"n": 2})
    assert queue.take() == [{"n": 1}, {"n": 2}]
    assert queue.take() == []


def test_receivers_answer_in_turn_and_then_as_always() -> None:
    hooks = MemoryWebhooks(Answer(500, 1), OutboundFailed("timeout", "slow"), otherwise=Answer(204, 1))
    assert hooks.post("https://a.example/", headers={}, body=b"1").status == 500
    with pytest.raises(OutboundFailed):
        hooks.post("https://a.example/", headers={}, body=b"2")
    assert hooks.post("https://a.example/", headers={}, body=b"3").status == 204
    hooks.answer_with(Answer(410, 1))
    assert hooks.post("https://a.example/", headers={}, body=b"4").status == 410
    assert [post.body for post in hooks.posts] == [b"1", b"2", b"3", b"4"]


def test_a_refused_address_gets_no_request() -> None:
    hooks = MemoryWebhooks()
    hooks.refuse["https://a.example/"] = "port"
    for call in (hooks.check, lambda url: hooks.post(url, headers={}, body=b"")):
        with pytest.raises(OutboundRefused):
            call("https://a.example/")
    assert hooks.posts == []


def test_the_inspector_tells_the_facts_it_was_given_with_the_files_size(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert MemoryInspector()(path, AudioLimits()).size_bytes == 5
    with pytest.raises(JobFailed):
        MemoryInspector(JobFailed(FailureCode.AUDIO_EMPTY, "no audio"))(path, AudioLimits())


def test_executions_are_written_down_once_and_take_only_good_names() -> None:
    executions = MemoryExecutions()
    executions.start("j1", {"n": 1})
    executions.start("j1", {"n": 1})
    assert [(start.name, start.payload) for start in executions.starts] == [("j1", {"n": 1})]
    for name in ("", "a b", "x" * 81):
        with pytest.raises(ValueError, match="name"):
            executions.start(name, {})


def test_a_token_that_was_given_up_is_waited_for_no_more() -> None:
    reports = MemoryTaskReports()
    reports.wait_for("token")
    reports.give_up("token")
    assert not reports.fail("token", error="E", cause="")
    assert (reports.succeeded, reports.failed) == ([], [])
    with pytest.raises(ValueError, match="too long"):
        reports.fail("token", error="x" * 257, cause="")


def test_counted_bytes_repeat_between_runs_but_never_within_one() -> None:
    one, other = CountedBytes(), CountedBytes()
    drawn = [one(16) for _ in range(100)]
    assert drawn == [other(16) for _ in range(100)]
    assert len(set(drawn)) == 100


def test_deps_are_complete_and_take_overrides_by_name() -> None:
    clock = ManualClock(5)
    deps = memory_deps(now_ms=clock)
    url = deps.uploads.presign_put("k", expires_s=1)
    assert "expires_at_ms=1005" in url
    assert (deps.now_ms(), deps.settings.stage) == (5, "local")
    assert deps.keyring.webhook_secret("t1", "1.1").startswith("whsec_")
    with pytest.raises(TypeError):
        memory_deps(clock=clock)


@pytest.mark.parametrize(("index", "stored"), [(0, None), (1, a_job())])
@pytest.mark.parametrize("error", [Unavailable("dynamodb"), Crash()])
def test_a_fault_strikes_before_the_call_or_after_it_took_effect(
    index: int, stored: Job | None, error: BaseException
) -> None:
    store, plan = MemoryStore(), RaiseAt(index, error)
    with pytest.raises(type(error)):
        faulty(store, plan).commit(insert(a_job()))
    assert store.get(Job, "t1", "j1") == stored
    assert plan.struck == Moment("MemoryStore", "commit", list(When)[index])


def test_one_plan_counts_the_calls_of_all_ports(tmp_path: Path) -> None:
    trace = Trace()
    deps = faulty_deps(memory_deps(), trace)
    path = tmp_path / "file"
    path.write_bytes(b"")
    deps.store.commit(insert(a_job()))
    deps.transcriptions.start("j1", {})
    deps.inspector(path, AudioLimits())
    calls = [("store", "commit"), ("transcriptions", "start"), ("inspector", "__call__")]
    assert trace.moments == [Moment(*call, when) for call in calls for when in When]


def test_a_crash_is_no_exception_that_a_use_case_could_catch() -> None:
    assert not issubclass(Crash, Exception)


def test_a_queue_that_takes_equal_messages_once_forgets_them_after_five_minutes_and_hands_out_late() -> None:
    clock = ManualClock()
    queue = MemoryQueue(clock, delay_s=10, equal_once=True)
    for body in (WORK, {**WORK, "job_id": "j2"}, WORK):
        queue.send(body)
    assert queue.take() == []
    clock.advance(10)
    assert [body["job_id"] for body in queue.take()] == ["j1", "j2"]
    clock.advance(289)
    queue.send(WORK)  # even though the first one is gone
    assert queue.bodies == []
    clock.advance(1)
    queue.send(WORK)
    assert queue.bodies == [WORK]
