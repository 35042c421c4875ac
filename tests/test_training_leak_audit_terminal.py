"""An event type that only those have who stay away is told; honest and ordinary ones are not."""

from typing import Any

import numpy as np
import pytest
from small_shop import DAY_US, STAGES, START_US, events_table, history_of

from features.history import History
from features.manifest import feature_manifest
from features.spec import FeatureSpec
from training.leak_audit import AuditRows, Check
from training.leak_audit_terminal import check_terminal, count_followers

SPEC = FeatureSpec(
    event_types=("visit", "purchase", "closed", "refund"),
    activity=("visit", "purchase"),
    orders=("purchase",),
)
REACH_US = 32 * DAY_US


def shop(*, closing: float, customers: int = 300, seed: int = 0) -> History:
    """Customers who buy every ten days until they stop; a share of them is then closed."""
    rng = np.random.default_rng(seed)
    rows: list[tuple[str, int, str, float | None]] = []
    for number in range(customers):
        name, stop = f"c{number:04d}", int(rng.integers(20, 400))
        days = range(int(rng.integers(0, 10)), stop, 10)
        rows += [(name, START_US + day * DAY_US, "purchase", 5.0) for day in days]
        rows += [(name, START_US + (day + 2) * DAY_US, "visit", None) for day in days[:-1]]
        if rng.random() < 0.5:
            rows.append((name, START_US + (days[0] + 3) * DAY_US, "refund", -1.0))
        if stop < 300 and rng.random() < closing:
            rows.append((name, START_US + (days[-1] + 1) * DAY_US, "closed", None))
            # Somebody who looks in is not a return.
            rows.append((name, START_US + (days[-1] + 30) * DAY_US, "visit", None))
    return history_of(events_table(rows), spec=SPEC)


def rows_of(history: History, *, day: int = 330) -> AuditRows:
    """Rows at one day, with the recency of each type and whether a purchase follows."""
    names = [feature.name for feature in feature_manifest(SPEC)]
    values = np.full((history.n_customers, len(names)), np.nan, dtype=np.float32)
    labels = np.zeros(history.n_customers, dtype=np.int8)
    as_of = START_US + day * DAY_US
    for i in range(history.n_customers):
        part = slice(*history.events.offsets[i : i + 2])
        times, types = history.events.occurred_at[part], history.events.event_type[part]
        for code, kind in enumerate(SPEC.event_types):
            before = times[(types == code) & (times < as_of)]
            if len(before):
                column = names.index(f"recency_days_type_{kind}")
                values[i, column] = (as_of - before.max()) / DAY_US
        labels[i] = np.any((types == 1) & (times >= as_of))
    customers = np.arange(history.n_customers).astype(np.uint64)
    return AuditRows(values, labels, np.zeros(len(labels), dtype=np.int16), customers)


def checked(history: History, **named: Any) -> Check:
    followers = count_followers([history], spec=SPEC, stages=STAGES, reach_us=REACH_US)
    return check_terminal(rows_of(history), followers, subject="natural_return", spec=SPEC)


def test_followers_are_those_who_come_back() -> None:
    history = shop(closing=0.5)
    found = count_followers([history], spec=SPEC, stages=STAGES, reach_us=REACH_US)
    pairs = zip(found.customers, found.followed, strict=True)
    counts = dict(zip(SPEC.event_types, pairs, strict=True))
    assert counts["purchase"][0] > 250 and counts["purchase"][1] > 240
    assert counts["refund"][1] > 0.9 * counts["refund"][0]
    assert counts["closed"][0] > 80 and counts["closed"][1] == 0


def test_a_type_written_to_all_who_stayed_away_fails() -> None:
    check = checked(shop(closing=1.0))
    assert check.verdict == "failed"
    assert check.named == ("closed",)
    assert check.fix is not None


def test_last_words_of_some_are_a_warning_of_few_none() -> None:
    assert checked(shop(closing=0.4)).verdict == "warning"
    few = checked(shop(closing=0.02, customers=400))
    assert few.verdict == "passed"


def test_honest_last_words_that_are_rare_pass_and_are_named() -> None:
    check = checked(shop(closing=0.15, customers=800))
    assert check.verdict == "passed"
    assert "closed" in check.meaning


def test_ordinary_events_pass() -> None:
    check = checked(shop(closing=0.0))
    assert check.verdict == "passed"
    assert check.figures["terminal"] == 0


@pytest.mark.parametrize("histories", [[], ["empty"]])
def test_nothing_to_count(histories: list[str]) -> None:
    empty = [history_of(events_table([]), spec=SPEC) for _ in histories]
    found = count_followers(empty, spec=SPEC, stages=STAGES, reach_us=REACH_US)
    assert found.customers.sum() == found.followed.sum() == 0


def test_few_labels_are_not_judged() -> None:
    assert checked(shop(closing=1.0, customers=40)).verdict == "not checked"
