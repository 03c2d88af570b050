"""Tenants never meet: over all routes and all kinds of ids, what belongs to another is answered as what is unknown."""

import sys
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from callscribe.dialects.front import Access
from callscribe.dialects.presign import routes
from callscribe.domain.jobs import Job
from callscribe.domain.transcripts import Segment
from callscribe.services import jobs
from tests.dialects.conftest import Answer, Client
from tests.dialects.presign.world import TRANSCRIPT, World

UNKNOWN = "00000000-0000-4000-8000-000000000000"


def registered(world: World) -> set[tuple[str, str]]:
    app = routes.resolver(world.deps)
    return {(route.method, route.path) for route in app._static_routes + app._dynamic_routes}


def test_every_route_stands_in_the_access_table(world: World) -> None:
    assert registered(world) == set(routes.ROUTES)


def test_only_routes_that_judge_a_credential_themselves_or_show_nothing_are_open() -> None:
    is_open = {path for (_, path), access in routes.ROUTES.items() if access.scope is None}
    assert is_open == {routes.TOKEN, routes.RESULT_LINK, routes.OPENAPI, routes.DOCS}


@pytest.mark.parametrize(("route", "access"), routes.ROUTES.items())
def test_every_route_is_refused_without_what_the_table_asks_for(
    world: World, route: tuple[str, str], access: Access
) -> None:
    path = route[1].replace("<token>", "abc")
    fields = {"mimeType": "audio/wav", "requestId": UNKNOWN}
    anonymous = world.anonymous.send(route[0], path, fields=fields)
    unscoped = world.client(scopes=frozenset()).send(route[0], path, fields=fields)
    if access.scope is None:
        assert 403 not in (anonymous.status, unscoped.status)
    else:
        assert (anonymous.status, unscoped.status) == (401, 403)


def ids_of(world: World, job: Job) -> dict[str, str]:
    """Everything that names a tenant's job, in any form a client could get hold of."""
    return {
        "request id": job.id,
        "upper case": job.id.upper(),
        "message id": f"msg_{job.id}",
        "execution": job.execution_name,
        "callback execution": f"cb-{job.id}-0",
        "object key": job.transcript_key,
        "tenant and job": f"{job.tenant_id}/{job.id}",
        "tenant": job.tenant_id,
        "key": job.key_id,
    }


def ask(client: Client, route: tuple[str, str], value: str) -> Answer:
    """A request that carries the id everywhere this route could take one from."""
    method, path = route
    fields = {"requestId": value, "client_id": value, "client_secret": value, "mimeType": value}
    return client.send(
        method, path.replace("<token>", value), fields=fields, query=f"requestId={value}", headers={"x-tenant": value}
    )


@pytest.mark.parametrize("state", ["awaiting upload", "completed"])
def test_foreign_ids_are_answered_as_unknown_ones_on_every_route(world: World, state: str) -> None:
    a, b = world.client(), world.client()
    request_id = world.request(a, callbackUrl="https://a.example/")
    if state == "completed":
        world.complete(request_id)
    before = world.store.all(Job)
    for route in routes.ROUTES:
        for kind, foreign in ids_of(world, world.job(request_id)).items():
            shaped = foreign.replace(request_id, UNKNOWN).replace(request_id.upper(), UNKNOWN.upper())
            answers = ask(b, route, foreign), ask(b, route, shaped)
            assert answers[0] == answers[1], (route, kind)
            assert "mock transcription text" not in answers[0].text
    assert world.store.all(Job) == before
    if state == "completed":
        assert world.poll(a, request_id).json["transcription"]


def test_an_idempotency_key_of_another_tenant_means_nothing(world: World) -> None:
    headers = {"Idempotency-Key": "the-same"}
    ids = [
        world.client().send("POST", routes.UPLOAD, fields={"mimeType": "audio/wav"}, headers=headers).json["requestId"]
        for _ in range(2)
    ]
    assert ids[0] != ids[1]


def test_a_result_link_opens_one_transcript_until_it_is_over(world: World, client: Client) -> None:
    job = world.complete(world.request(client))
    path = jobs.result_link(world.deps, job).removeprefix("https://callscribe.example")
    answer = world.anonymous.send("GET", path)
    assert answer.status == 302
    assert world.results.fetch(answer.headers["location"]) == world.results.read(job.transcript_key)
    world.clock.advance(7 * 86_400 - 1)
    assert world.anonymous.send("GET", path).status == 302
    world.clock.advance(1)
    assert world.anonymous.send("GET", path) == world.anonymous.send("GET", "/api/v1/transcriptions/" + "0" * 64)


@pytest.fixture
def hectic() -> Iterator[None]:
    """Threads take turns as often as the interpreter can let them."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_requests_of_two_tenants_at_once_do_not_mix(world: World, hectic: None) -> None:
    clients = {name: world.client() for name in "abcd"}
    ids = {name: world.request(client) for name, client in clients.items()}
    for name, request_id in ids.items():
        world.complete(request_id, replace(TRANSCRIPT, segments=(Segment(name, 0.0, 1.0, 0, "0", None),)))
    wrong: list[str] = []

    def poll(name: str) -> None:
        for _ in range(30):
            answer = world.poll(clients[name], ids[name])
            if answer.status != 200 or answer.json["transcription"][0]["text"] != name:
                wrong.append(answer.text)

    threads = [threading.Thread(target=poll, args=(name,)) for name in "abcd" * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
