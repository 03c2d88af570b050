"""safety.md figure 8: no invariant of the ledger is ever broken."""

from collections import Counter
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callscribe.domain.credits import Balance
from callscribe.domain.prices import Account
from tests.reliability.bookkeeping import STEPS, Books, Step

EXAMPLES = 500
STEPS_EACH = 50
taken: Counter[str] = Counter()  # what the steps came to, over all examples
broken: list[str] = []


@settings(
    max_examples=EXAMPLES,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
@given(st.lists(STEPS, min_size=STEPS_EACH, max_size=STEPS_EACH))
def test_no_invariant_breaks_in_500_times_50_random_steps(steps: list[Step]) -> None:
    books = Books()
    for step in steps:
        books.do(step)
        found = books.broken()
        broken.extend(found)
        assert found == []
    taken.update(books.done)
    taken["examples"] += 1


def test_the_audit_sees_what_is_wrong() -> None:
    books = Books()
    books.do(Step("top_up", 1, Account.CREDITS, 50))
    books.do(Step("hold", 1, Account.CREDITS, 20))
    assert books.broken() == []
    rows = books.store._records(Balance)  # behind the store's back: that is the point here
    rows.update({key: replace(row, available=31) for key, row in rows.items()})
    assert len(books.broken()) == 3  # its lines, the top-ups and the model all say otherwise
