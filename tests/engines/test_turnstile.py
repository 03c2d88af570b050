import threading

from callscribe.engines.turnstile import Turnstile


def test_no_more_than_the_places_are_inside_and_all_come_through() -> None:
    turnstile, count = Turnstile(3), threading.Lock()
    inside, most, through = 0, 0, 0

    def visit() -> None:
        nonlocal inside, most, through
        for _ in range(50):
            turnstile.enter()
            with count:
                inside += 1
                most = max(most, inside)
            with count:
                inside -= 1
                through += 1
            turnstile.leave()

    visitors = [threading.Thread(target=visit) for _ in range(12)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join(30)
    assert (through, inside) == (600, 0)
    assert most <= 3


def test_who_comes_again_stands_behind_those_who_wait() -> None:
    turnstile = Turnstile(1)
    order: list[str] = []
    turnstile.enter()

    def visit() -> None:
        turnstile.enter()
        order.append("other")
        turnstile.leave()

    other = threading.Thread(target=visit)
    other.start()
    while not turnstile.waiting:
        pass
    turnstile.leave()
    turnstile.enter()
    order.append("again")
    other.join(30)
    assert order == ["other", "again"]


def test_a_closed_one_lets_all_through() -> None:
    turnstile = Turnstile(1)
    turnstile.enter()
    waiting = [threading.Thread(target=turnstile.enter) for _ in range(3)]
    for thread in waiting:
        thread.start()
    turnstile.close()
    for thread in waiting:
        thread.join(30)
    assert not any(thread.is_alive() for thread in waiting)
    turnstile.enter()
