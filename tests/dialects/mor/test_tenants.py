"""Tenants never meet: over all routes and all kinds of ids, what belongs to another is answered as what is unknown."""

import pytest

from callscribe import dialects
from callscribe.dialects.front import Access
from callscribe.dialects.mor import routes
from callscribe.domain.accounts import Scope
from callscribe.domain.jobs import Job
from callscribe.services import accounts, jobs, recordings, refresh
from tests.dialects.conftest import Answer, Client
from tests.dialects.mor.world import AUDIO_URL, CALLBACK_URL, JOBS, UNKNOWN, World, status

SECRET_WORDS = "good morning"


def registered(world: World) -> set[tuple[str, str]]:
    app = routes.resolver(world.deps)
    return {(route.method, route.path) for route in app._static_routes + app._dynamic_routes}


def test_M_01_every_route_stands_in_the_access_table(world: World) -> None:
    assert registered(world) == set(routes.ROUTES)


def test_only_routes_that_judge_a_credential_themselves_or_show_nothing_are_open() -> None:
    is_open = {path for (_, path), access in routes.ROUTES.items() if access.scope is None}
    endpoints = (routes.LOGIN, routes.REFRESH, routes.DOCS)
    assert is_open == {routes.OPENAPI, *(prefix + path for prefix in routes.PREFIXES for path in endpoints)}


def test_what_reads_needs_one_permission_and_what_changes_the_other() -> None:
    needed = {route: access.scope for route, access in routes.ROUTES.items() if access.scope is not None}
    changing = {("POST", routes.TRANSCRIPTIONS), ("DELETE", routes.TRANSCRIPTION)}
    for (method, path), scope in needed.items():
        ours = {(method, path.removeprefix(prefix)) for prefix in routes.PREFIXES}
        assert scope is (Scope.TRANSCRIBE if ours & changing else Scope.READ)


@pytest.mark.parametrize(("route", "access"), routes.ROUTES.items())
def test_every_route_is_refused_without_what_the_table_asks_for(
    world: World, route: tuple[str, str], access: Access
) -> None:
    path = route[1].replace("<id>", UNKNOWN).replace("<format>", "txt")
    anonymous = world.anonymous.send(route[0], path, fields={})
    unscoped = world.client(scopes=frozenset()).send(route[0], path, fields={})
    if access.scope is None:
        assert 403 not in (anonymous.status, unscoped.status)
    else:
        assert (anonymous.status, unscoped.status) == (401, 403)


def ids_of(job: Job) -> dict[str, str]:
    """Everything that names a tenant's job, in any form a client could get hold of."""
    return {
        "uuid": job.id,
        "upper case": job.id.upper(),
        "number": str(job.number),
        "number with zeros": f"00{job.number}",
        "message id": f"msg_{job.id}",
        "execution": job.execution_name,
        "callback execution": f"cb-{job.id}-0",
        "object key": job.transcript_key,
        "tenant and job": f"{job.tenant_id}/{job.id}",
        "tenant": job.tenant_id,
        "key": job.key_id,
        "recording": "call-17",
    }


def ask(client: Client, route: tuple[str, str], value: str) -> Answer:
    """A request that carries the id everywhere this route could take one from."""
    method, path = route
    fields = {"recording_id": value, "refresh_token": value, "id": value, "uuid": value, "tenant_id": value}
    return client.send(
        method,
        path.replace("<id>", value).replace("<format>", "txt"),
        fields=fields,
        query=f"id={value}&tenant_id={value}",
        headers={"x-tenant": value},
    )


@pytest.mark.parametrize("state", ["awaiting upload", "processing", "completed", "cancelled"])
def test_M_15_foreign_ids_are_answered_as_unknown_ones_on_every_route(world: World, state: str) -> None:
    a, b = world.client(), world.client()
    recordings.add(world.deps, tenant_id=world.tenant_of(a), recording_id="call-17", url=AUDIO_URL)
    for _ in range(6):  # so that its number is none of the other tenant's
        made = world.create(a, callback_url=CALLBACK_URL)
    job = world.job(made["uuid"])
    if state == "processing":
        world.prepare(job.id)
    if state == "completed":
        world.complete(job.id)
    if state == "cancelled":
        a.send("DELETE", f"{JOBS}/{job.id}")
    before = world.store.all(Job)
    for route in routes.ROUTES:
        for kind, foreign in ids_of(job).items():
            shaped = foreign.replace(job.id, UNKNOWN).replace(job.id.upper(), UNKNOWN.upper())
            shaped = shaped.replace("call-17", "call-18") if kind == "recording" else shaped
            shaped = {"6": "7", "006": "007"}.get(shaped, shaped)
            answers = ask(b, route, foreign), ask(b, route, shaped)
            assert answers[0] == answers[1], (route, kind)
            assert SECRET_WORDS not in answers[0].text
    assert world.store.all(Job) == before
    assert status(a, job.id).status == 200


def test_M_08_another_tenants_idempotency_key_means_nothing(world: World) -> None:
    headers = {"Idempotency-Key": "the-same"}
    made = [world.client().send("POST", JOBS, fields={}, headers=headers).json for _ in range(2)]
    assert made[0]["uuid"] != made[1]["uuid"]


# One tenant, several dialects


def presign(world: World, tenant_id: str) -> Client:
    """The same tenant's client of another contract."""
    key, _ = accounts.create_key(world.deps, tenant_id=tenant_id, name="for presign")
    session = refresh.log_in(world.deps, accounts.principal_of(key), life_s=900)
    return Client(dialects.load("presign").build(world.deps), session.access.token)


def test_a_job_made_by_another_contract_is_visible_here(world: World, client: Client) -> None:
    other = presign(world, world.tenant_of(client))
    request_id = other.send("POST", "/api/v1/generate-presigned-url", fields={"mimeType": "audio/wav"}).json[
        "requestId"
    ]
    seen = status(client, request_id).json
    assert (seen["uuid"], seen["status"]) == (request_id, "queued")
    world.complete(request_id)
    assert client.send("POST", f"{JOBS}/{seen['id']}/transcript").json["segments"][0]["text"] == SECRET_WORDS
    assert SECRET_WORDS in client.send("POST", f"{JOBS}/{request_id}/download/txt").text
    assert client.send("DELETE", f"{JOBS}/{request_id}").json["status"] == "deleted"
    gone = other.send("POST", "/api/v1/get-transcription", fields={"requestId": request_id})
    assert gone.status == 404


def test_a_job_made_here_is_visible_by_another_contract(world: World, client: Client) -> None:
    other = presign(world, world.tenant_of(client))
    made = world.completed(client)
    for given in (made["uuid"], str(made["id"])):
        seen = other.send("POST", "/api/v1/get-transcription", fields={"requestId": given}).json
        assert (seen["processingStatus"], seen["transcription"][0]["text"]) == ("COMPLETED", SECRET_WORDS)


def test_a_job_made_here_is_not_visible_to_another_tenant_of_another_contract(world: World, client: Client) -> None:
    made = world.completed(client)
    other = presign(world, world.tenant())
    answer = other.send("POST", "/api/v1/get-transcription", fields={"requestId": made["uuid"]})
    assert answer.status == 404
    assert jobs.find(world.deps, tenant_id=world.tenant_of(client), job_id=made["uuid"]).number == made["id"]
