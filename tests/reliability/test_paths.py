"""Every failing way nets zero, every completed one is paid exactly once; nothing stays that nobody wants."""

import random

import pytest

from tests.reliability.cloud import PRICE_M, Cloud
from tests.reliability.judge import paid_m, problems, stored
from tests.reliability.paths import WAYS
from tests.reliability.way import Way


def one_to_three(source: random.Random) -> int:
    return source.randint(1, 3)


def assert_as_expected(way: Way, cloud: Cloud) -> None:
    job = way.lead(cloud)
    now = stored(cloud, job)
    assert (None if now is None else now.state) is way.state
    assert (None if now is None or now.failure is None else now.failure.code) is way.code
    assert problems(cloud, job, paid=way.paid, price_m=way.price_m) == []


@pytest.mark.parametrize("name", WAYS)
def test_each_way_ends_as_it_must_and_costs_what_it_may(name: str) -> None:
    assert_as_expected(WAYS[name], WAYS[name].cloud_for())


@pytest.mark.parametrize("name", WAYS)
def test_the_same_with_every_event_delivered_one_to_three_times_in_random_order(name: str) -> None:
    for seed in range(5):
        assert_as_expected(WAYS[name], WAYS[name].cloud_for(seed=seed, copies=one_to_three))


def test_a_completed_job_that_is_deleted_stays_paid() -> None:
    cloud = Cloud()
    job = WAYS["deleted once delivered, uploaded again"].lead(cloud)
    assert paid_m(cloud, job) == PRICE_M
