from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from callscribe.adapters.memory import ManualClock, memory_deps
from callscribe.domain.slots import Slot
from callscribe.ports import Deps
from callscribe.services import slots


def leased(deps: Deps, count: int = 2, life_s: float = 30) -> Slot | None:
    return slots.lease(deps, scope="a", name="waiting", count=count, life_s=life_s)


def test_no_more_slots_are_lent_than_there_are() -> None:
    deps = memory_deps()
    first, second = leased(deps), leased(deps)
    assert first is not None
    assert second is not None
    assert first.number != second.number
    assert leased(deps) is None


def test_a_slot_that_came_back_is_lent_again() -> None:
    deps = memory_deps()
    leased(deps)
    held = leased(deps)
    assert held is not None
    slots.give_back(deps, held)
    again = leased(deps)
    assert again is not None
    assert again.number == held.number


def test_a_slot_that_never_came_back_is_free_when_its_lease_has_run_out() -> None:
    clock = ManualClock()
    deps = memory_deps(now_ms=clock)
    assert leased(deps, count=1) is not None
    clock.advance(29.999)
    assert leased(deps, count=1) is None
    clock.advance(0.001)
    assert leased(deps, count=1) is not None


def test_whoever_comes_back_too_late_takes_nothing_from_the_next_holder() -> None:
    clock = ManualClock()
    deps = memory_deps(now_ms=clock)
    late = leased(deps, count=1)
    clock.advance(31)
    assert leased(deps, count=1) is not None
    assert late is not None
    slots.give_back(deps, late)
    assert leased(deps, count=1) is None


def test_slots_of_other_names_do_not_count() -> None:
    deps = memory_deps()
    assert leased(deps, count=1) is not None
    assert slots.lease(deps, scope="a", name="other", count=1, life_s=1) is not None
    assert slots.lease(deps, scope="b", name="waiting", count=1, life_s=1) is not None


def test_eight_threads_get_exactly_as_many_slots_as_there_are() -> None:
    deps, start = memory_deps(), Barrier(8)

    def take(_: int) -> list[Slot]:
        start.wait()
        return [slot for _ in range(5) if (slot := leased(deps, count=20)) is not None]

    with ThreadPoolExecutor(8) as threads:
        lent = [slot.number for taken in threads.map(take, range(8)) for slot in taken]
    assert sorted(lent) == list(range(20))
