"""A waiting call through the door: who leaves it pays once, however often it comes again."""

import json
import time

from callscribe.domain.exchanges import Exchange
from callscribe.domain.prices import Plan
from tests.dialects.aivoco.world import DATA, TRANSCRIBE, World
from tests.functions.running_door import running_door
from tests.waiting import wait_until


def test_A_L1_a_client_that_leaves_the_door_while_it_waits_gets_the_same_job_when_it_comes_again() -> None:
    world = World(running=False, before_sleep=lambda: time.sleep(0.01))
    tenant_id = world.tenant(plan=Plan(credits_m_per_s=10), credits_m=100)  # enough for one
    body = json.dumps({"api_key": world.secret(tenant_id), "audio_data": DATA}).encode()
    head = f"POST {TRANSCRIBE} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with running_door(("aivoco", world.handler)) as door:
        with door.connect() as connection:
            connection.sendall(head + body)
            wait_until(lambda: len(world.pauses) > 3)
        wait_until(lambda: world.store.all(Exchange)[0].waiters == ())
        waited_s = sum(world.pauses)
        world.running = True
        world.pipeline()  # the job ends while nobody waits
        reply = door.ask("POST", TRANSCRIBE, body, {"Content-Type": "application/json"})
    assert waited_s < 600  # of the 900 that it might have
    assert (reply.status, len(world.jobs()), world.transcribed) == (200, 1, 1)
    assert world.balance(tenant_id) == (0, 0, 100)
    assert (world.uploads.keys(), world.results.keys()) == ([], [])
