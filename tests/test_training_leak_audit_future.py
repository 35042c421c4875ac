"""The audit changes the future: sound features stay, every one that peeks is named."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from feature_tables import AS_OFS, SPEC, history_of, microseconds, random_tables

import features.matrix as matrix_module
import training.leak_audit_future as audit
from features.history import History
from features.kernels import engagement, frequency, static
from features.kernels.feature import DAY_US
from features.stage import Stage
from training.leak_audit import Check
from training.leak_audit_history import CHANGES, other_future

STAGES = (
    Stage("seen", "Seen", ("view",), ("view", "login"), ("purchase",), 20.0),
    Stage("buyer", "Buyer", ("purchase", "reorder"), ("purchase",), ("purchase",), 60.0),
)
CUTOFFS = microseconds(AS_OFS)


def checked(*, seed: int = 3, customers: int = 30) -> Check:
    history = history_of(random_tables(seed, customers=customers))
    return audit.check_future([history], spec=SPEC, stages=STAGES, as_ofs=CUTOFFS, seed=1)


@pytest.mark.parametrize("seed", range(4))
def test_sound_features_pass(seed: int) -> None:
    check = checked(seed=seed)
    assert check.verdict == "passed", check.meaning
    assert check.figures["later_rows_changed"] > 500
    assert check.figures["columns"] == 133 + len(audit.STATE_NAMES)


def later(function: Callable[..., Any], position: int, days: float) -> Callable[..., Any]:
    """The function with its as-of, the argument at `position`, that much later."""

    def peeks(*arguments: Any, **named: Any) -> Any:
        changed = list(arguments)
        changed[position] = int(changed[position] + days * DAY_US)
        return function(*changed, **named)

    return peeks


def test_a_block_that_reads_orders_of_the_next_week_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    original = matrix_module.gather_details
    monkeypatch.setattr(matrix_module, "gather_details", later(original, 1, 7))
    check = checked()
    assert check.verdict == "failed"
    assert "spend_30d" in check.named
    assert "recency_days_activity" not in check.named
    assert check.fix is not None and "as-of" in check.fix
    assert f"{len(check.named)} of" in check.meaning


def test_one_microsecond_too_late_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted events of the as-of itself meet a comparison that should be strict."""
    original = matrix_module.gather_days
    monkeypatch.setattr(matrix_module, "gather_days", later(original, 1, 1 / DAY_US))
    check = checked()
    assert check.verdict == "failed"
    assert "activity_7d" in check.named


def test_contacts_that_arrive_later_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engagement, "fill_engagement", later(engagement.fill_engagement, 1, 30))
    check = checked()
    assert check.verdict == "failed"
    assert all(name.startswith("contacts_") for name in check.named)


def test_a_record_that_is_always_the_latest_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(static, "fill_static", later(static.fill_static, 1, 3650))
    check = checked()
    assert check.verdict == "failed"
    assert {"attribute_city", "attribute_plan"} <= set(check.named)


def test_a_feature_of_the_whole_history_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that counts all stored events of the bucket, whenever they were."""
    original_fill = frequency.fill_frequency
    original_build = audit.build_matrix
    stored: list[int] = []

    def build(history: History, **named: Any) -> Any:
        stored.append(len(history.events.occurred_at))
        return original_build(history, **named)

    def fill(totals: Any, measures: Any, rows: Any, out: Any) -> None:
        original_fill(totals, measures, rows, out)
        out[rows[rows >= 0], 0] = stored[-1]

    monkeypatch.setattr(audit, "build_matrix", build)
    monkeypatch.setattr(frequency, "fill_frequency", fill)
    check = checked()
    assert check.verdict == "failed"
    assert len(check.named) == 1


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("stage_states", {"stage", "silence_days"}),
        ("count_returns", {"repeats"}),
    ],
)
def test_states_and_counts_that_peek_are_found(
    name: str, columns: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = getattr(audit, name)

    def peeks(history: History, *arguments: Any, **named: Any) -> Any:
        late = replace(history.events, arrived_at=history.events.occurred_at)
        return original(replace(history, events=late), *arguments, **named)

    def peeks_at_states(history: History, *arguments: Any, **named: Any) -> Any:
        # Rows must still be those of the matrix, so only their contents see late arrivals.
        true, late = original(history, *arguments, **named), peeks(history, *arguments, **named)
        rows = {(c, a): i for i, (c, a) in enumerate(zip(late.customer, late.as_of, strict=True))}
        at = [rows[pair] for pair in zip(true.customer, true.as_of, strict=True)]
        return replace(true, stage=late.stage[at], silence_days=late.silence_days[at])

    monkeypatch.setattr(audit, name, peeks_at_states if name == "stage_states" else peeks)
    check = checked()
    assert check.verdict == "failed"
    assert columns <= set(check.named)
    assert not any(one.startswith("recency") for one in check.named)


def test_without_a_future_nothing_is_claimed() -> None:
    history = history_of(random_tables(1))
    far = microseconds([AS_OFS[-1] + pd.Timedelta(days=3650)])
    check = audit.check_future([history], spec=SPEC, stages=STAGES, as_ofs=far, seed=1)
    assert check.verdict == "not checked"


@pytest.mark.parametrize("change", CHANGES)
def test_the_past_of_a_changed_history_is_the_same_rows(change: str) -> None:
    history = history_of(random_tables(8, customers=20))
    as_of = int(CUTOFFS[1])
    rng = np.random.default_rng(0)
    changed, hidden = other_future(history, change, as_of=as_of, rng=rng)  # type: ignore[arg-type]
    assert hidden > 100

    def visible(one: History) -> tuple[bytes, ...]:
        events, details = one.events, one.details
        seen = (events.occurred_at < as_of) & (events.arrived_at < as_of)
        priced = (details.occurred_at < as_of) & (details.arrived_at < as_of)
        return (
            events.occurred_at[seen].tobytes(),
            events.event_type[seen].tobytes(),
            details.amount[priced].tobytes(),
            details.order[priced].tobytes(),
        )

    assert visible(changed) == visible(history)
    after = changed.events.occurred_at >= as_of
    late = changed.events.arrived_at >= as_of
    grown = len(changed.events.occurred_at) - len(history.events.occurred_at)
    if change == "deleted":
        assert not np.any(after | late)
    elif change == "scrambled":
        assert grown == 0
        assert not np.array_equal(changed.events.occurred_at, history.events.occurred_at)
    else:
        assert grown == len(history.events.occurred_at)
        assert np.any(changed.events.occurred_at == as_of)
        assert np.any(late & ~after)
    for table in (changed.events, changed.details):
        owner = np.repeat(np.arange(changed.n_customers), np.diff(table.offsets))
        assert np.all(np.diff(owner.astype(np.int64)) >= 0)
        same = np.diff(owner) == 0
        assert np.all(np.diff(table.occurred_at)[same] >= 0)
