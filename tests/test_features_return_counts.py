"""Return counts against a plain pandas computation, by hand, and blind to the future."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from feature_oracle import DAY, Tables
from feature_tables import AS_OFS, SPEC, arrow_table, history_of, microseconds, random_tables
from hypothesis import given, settings
from hypothesis import strategies as st

from features.history_reader import history_from_tables
from features.return_counts import ReturnCounts, count_returns
from features.spec import FeatureSpec
from features.stage import Stage
from features.stage_state import NO_STAGE, StageStates, stage_states

LADDER = (
    Stage("seen", "Seen", ("view", "login"), ("view", "login"), ("purchase",), 20.0),
    Stage("buyer", "Buyer", ("purchase",), ("purchase",), ("purchase", "reorder"), 60.0),
    Stage("regular", "Regular", ("reorder",), ("reorder",), ("reorder",), None),
)
SHOP = FeatureSpec(("view", "purchase"), ("view",), ("purchase",))
AS_OF = AS_OFS[1]


def counted(
    tables: Tables, as_ofs: list[pd.Timestamp]
) -> tuple[list[str], StageStates, ReturnCounts]:
    history = history_of(tables)
    states = stage_states(history, LADDER, spec=SPEC, as_ofs=microseconds(as_ofs))
    counts = count_returns(history, LADDER, spec=SPEC, states=states)
    return [history.names[int(row)].as_py() for row in states.customer], states, counts


def oracle_counts(
    events: pd.DataFrame, stage: Stage, as_of: pd.Timestamp
) -> tuple[int, float, float]:
    seen = events[(events["occurred_at"] < as_of) & (events["arrived_at"] < as_of)]
    back = np.floor((as_of - seen["occurred_at"]) / DAY + 0.5)
    age = back[seen["event_type"].isin([*stage.entered_by, *stage.returns_by])].max()
    returns = back[seen["event_type"].isin(stage.returns_by) & (back < age)]
    return returns.nunique(), 0.0 if returns.empty else age - returns.min(), age


@pytest.mark.parametrize("seed", range(6))
def test_counts_equal_the_oracle(seed: int) -> None:
    tables = random_tables(seed + 70)

    names, states, counts = counted(tables, AS_OFS)

    as_ofs = dict(zip(microseconds(AS_OFS).tolist(), AS_OFS, strict=True))
    for row, name in enumerate(names):
        events = tables.events[tables.events["customer_id"] == name]
        found = (counts.repeats[row], counts.last_days[row], counts.age_days[row])
        if states.stage[row] == NO_STAGE:
            assert np.isnan(found).all()
            continue
        stage, as_of = LADDER[states.stage[row]], as_ofs[int(states.as_of[row])]
        assert found == oracle_counts(events, stage, as_of)
    placed = states.stage != NO_STAGE
    assert counts.repeats[placed].max() > 3
    assert (counts.last_days[placed] <= counts.age_days[placed]).all()
    assert ((counts.last_days[placed] == 0) == (counts.repeats[placed] == 0)).all()


def one_buyer(rows: list[tuple[float, str]]) -> tuple[float, float, float]:
    """Counts at AS_OF of a customer with events this many days before it."""
    when = [AS_OF - pd.Timedelta(days=days) for days, _ in rows]
    events = pd.DataFrame(
        {
            "customer_id": "c",
            "occurred_at": when,
            "arrived_at": when,
            "event_type": [name for _, name in rows],
        }
    )
    history = history_from_tables(0, spec=SHOP, events=arrow_table(events))
    ladder = (
        Stage("seen", "Seen", ("view",), ("view",), ("purchase",), 10.0),
        Stage("buyer", "Buyer", ("purchase",), ("view",), ("purchase",), 30.0),
    )
    states = stage_states(history, ladder, spec=SHOP, as_ofs=microseconds([AS_OF]))
    counts = count_returns(history, ladder, spec=SHOP, states=states)
    return counts.repeats.item(), counts.last_days.item(), counts.age_days.item()


def test_several_returns_on_one_day_are_one() -> None:
    rows = [(90.0, "purchase"), (90.0, "purchase"), (40.1, "purchase"), (39.9, "purchase")]
    assert one_buyer(rows) == (1, 50, 90)


def test_events_of_other_stages_neither_give_birth_nor_count() -> None:
    rows = [(99.0, "view"), (90.0, "purchase"), (50.0, "view"), (40.0, "purchase")]
    assert one_buyer(rows) == (1, 50, 90)


def test_an_entry_gives_birth_though_it_is_no_return() -> None:
    assert one_buyer([(80.0, "view"), (60.0, "view"), (30.0, "view")]) == (0, 0, 80)


def test_days_are_rounded_so_that_an_hour_of_summer_time_changes_nothing() -> None:
    rows = [(90 - 1 / 24, "purchase"), (40.0, "purchase")]
    assert one_buyer(rows) == (1, 50, 90)


def test_a_birth_hours_ago_has_age_nought() -> None:
    assert one_buyer([(0.4, "purchase"), (0.1, "purchase")]) == (0, 0, 0)


def hidden(events: pd.DataFrame) -> pd.Series:
    return (events["occurred_at"] >= AS_OF) | (events["arrived_at"] >= AS_OF)


def delete(events: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    return events[~hidden(events)]


def scramble(events: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    later = events[hidden(events)].copy()
    later["event_type"] = rng.permutation(later["event_type"].to_numpy())
    later["customer_id"] = rng.permutation(later["customer_id"].to_numpy())
    later["arrived_at"] = AS_OF + pd.to_timedelta(rng.integers(0, 900, len(later)), unit="h")
    return pd.concat([later, events[~hidden(events)]])


def add(events: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    late = events.assign(event_type="reorder", arrived_at=AS_OF)
    hours = pd.to_timedelta(rng.integers(0, 900, len(events)), unit="h")
    future = events.assign(event_type="purchase", occurred_at=AS_OF + hours)
    newcomers = events.assign(customer_id="newcomer", arrived_at=AS_OF)
    return pd.concat([late, future, newcomers, events])


@pytest.mark.parametrize("change", [delete, scramble, add])
@pytest.mark.parametrize("seed", range(3))
def test_the_future_leaves_every_byte_alone(
    change: Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame], seed: int
) -> None:
    tables = random_tables(seed + 80)
    assert hidden(tables.events).sum() > 20
    changed = change(tables.events, np.random.default_rng(seed))

    names, _, before = counted(tables, [AS_OF])
    names_after, _, after = counted(Tables(changed, tables.contacts, tables.profiles), [AS_OF])

    assert names_after == names
    for column in ("repeats", "last_days", "age_days"):
        assert getattr(after, column).tobytes() == getattr(before, column).tobytes()


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_order_of_rows_never_matters(seed: int) -> None:
    tables = random_tables(90, customers=4)
    shuffled = tables.events.sample(frac=1.0, random_state=seed)

    _, _, before = counted(tables, AS_OFS)
    _, _, after = counted(Tables(shuffled, tables.contacts, tables.profiles), AS_OFS)

    np.testing.assert_array_equal(after.repeats, before.repeats)
    np.testing.assert_array_equal(after.last_days, before.last_days)
    np.testing.assert_array_equal(after.age_days, before.age_days)


def test_an_empty_bucket_has_no_counts() -> None:
    empty = Tables(*(table.iloc[:0] for table in vars(random_tables(1)).values()))

    _, _, counts = counted(empty, AS_OFS)

    assert len(counts.repeats) == len(counts.last_days) == len(counts.age_days) == 0
