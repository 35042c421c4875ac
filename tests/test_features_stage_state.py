"""Stages and silence against a plain pandas computation and by hand."""

import numpy as np
import pandas as pd
import pytest
from feature_oracle import DAY, Tables
from feature_tables import AS_OFS, SPEC, arrow_table, history_of, microseconds, random_tables

from features.history_reader import history_from_tables
from features.matrix import build_matrix
from features.spec import FeatureSpec
from features.stage import Stage
from features.stage_state import NO_STAGE, StageStates, stage_states

LADDER = (
    Stage("seen", "Seen", ("view", "login"), ("view", "login"), ("purchase",), 20.0),
    Stage("buyer", "Buyer", ("purchase",), ("purchase", "view"), ("purchase",), 60.0),
    Stage("regular", "Regular", ("reorder",), ("reorder",), ("reorder",), None),
)
SHOP = FeatureSpec(("view", "purchase", "banner"), ("view",), ("purchase",))


def oracle_state(events: pd.DataFrame, as_of: pd.Timestamp) -> tuple[int, float, bool]:
    seen = events[(events["occurred_at"] < as_of) & (events["arrived_at"] < as_of)]
    milestones = [
        (seen.loc[seen["event_type"].isin(stage.entered_by), "occurred_at"].max(), step)
        for step, stage in enumerate(LADDER)
    ]
    reached = [entry for entry in milestones if not pd.isna(entry[0])]
    if not reached:
        return NO_STAGE, np.nan, False
    entered, step = max(reached)
    active = seen.loc[seen["event_type"].isin(LADDER[step].active_on), "occurred_at"].max()
    latest = entered if pd.isna(active) else max(entered, active)
    silence = (as_of - latest) / DAY
    limit = LADDER[step].silence_days
    return step, silence, limit is not None and silence >= limit


@pytest.mark.parametrize("seed", range(6))
def test_states_equal_the_oracle_and_the_rows_of_the_matrix(seed: int) -> None:
    tables = random_tables(seed + 50)
    history = history_of(tables)
    as_ofs = microseconds(AS_OFS)

    states = stage_states(history, LADDER, spec=SPEC, as_ofs=as_ofs)

    matrix = build_matrix(history, spec=SPEC, as_ofs=as_ofs)
    np.testing.assert_array_equal(states.customer, matrix.customer)
    np.testing.assert_array_equal(states.as_of, matrix.as_of)
    expected = [
        oracle_state(
            tables.events[tables.events["customer_id"] == name], AS_OFS[list(as_ofs).index(at)]
        )
        for name, at in zip(matrix.customer_id, matrix.as_of, strict=True)
    ]
    assert states.stage.tolist() == [stage for stage, _, _ in expected]
    np.testing.assert_allclose(states.silence_days, [silence for _, silence, _ in expected])
    assert states.dormant.tolist() == [dormant for _, _, dormant in expected]
    assert len(set(states.stage.tolist())) >= 3


def one_customer(rows: list[tuple[float, str]]) -> StageStates:
    """States at AS_OFS[0] of a customer with events this many days before it."""
    when = [AS_OFS[0] - pd.Timedelta(days=days) for days, _ in rows]
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
    return stage_states(history, ladder, spec=SHOP, as_ofs=microseconds(AS_OFS[:1]))


def test_silence_that_reaches_the_limit_is_dormant() -> None:
    assert one_customer([(10.0, "view")]).dormant.tolist() == [True]
    assert one_customer([(9.99, "view")]).dormant.tolist() == [False]


def test_activity_after_the_milestone_ends_silence_only_where_the_stage_says_so() -> None:
    states = one_customer([(50.0, "view"), (40.0, "purchase"), (5.0, "banner")])
    assert states.stage.tolist() == [1]
    assert states.silence_days.tolist() == [40.0]
    assert states.dormant.tolist() == [True]


def test_a_tie_goes_to_the_later_step() -> None:
    assert one_customer([(3.0, "purchase"), (3.0, "view")]).stage.tolist() == [1]


def test_no_milestone_means_no_stage() -> None:
    states = one_customer([(3.0, "banner")])
    assert states.stage.tolist() == [NO_STAGE]
    assert np.isnan(states.silence_days).all()
    assert states.dormant.tolist() == [False]


def test_an_empty_bucket_has_no_states() -> None:
    empty = Tables(*(table.iloc[:0] for table in vars(random_tables(1)).values()))

    states = stage_states(history_of(empty), LADDER, spec=SPEC, as_ofs=microseconds(AS_OFS))

    assert len(states.stage) == len(states.dormant) == 0
