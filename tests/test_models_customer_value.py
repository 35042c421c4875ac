"""What the rungs below the forest read of a customer."""

from dataclasses import fields

import numpy as np
from small_shop import SPEC, STAGES, START_US, events_table, history_of, shop_events

from features.history import History
from features.matrix import build_matrix
from features.return_counts import count_returns
from features.stage_state import stage_states
from models.customer_value import CustomerValue, concat_values, customer_values

DAY_US = 86_400_000_000
AS_OF = np.array([START_US + 100 * DAY_US, START_US + 200 * DAY_US])


def values_of(history: History, rows: slice | np.ndarray = slice(None)) -> CustomerValue:
    matrix = build_matrix(history, spec=SPEC, as_ofs=AS_OF)
    states = stage_states(history, STAGES, spec=SPEC, as_ofs=AS_OF)
    counts = count_returns(history, STAGES, spec=SPEC, states=states)
    return customer_values(matrix, states, counts, rows)  # type: ignore[arg-type]


def columns(value: CustomerValue) -> dict[str, np.ndarray]:
    return {field.name: getattr(value, field.name) for field in fields(value)}


def test_a_literal_customer() -> None:
    days = (10, 10.2, 40, 90, 150)
    rows = [("c", START_US + round(day * DAY_US), "purchase", 5.0) for day in days]
    rows += [("looker", START_US + 50 * DAY_US, "visit", None)]  # type: ignore[list-item]
    value = values_of(history_of(events_table(rows)))  # type: ignore[arg-type]
    assert value.stage.tolist() == [0, 0, -1, -1]
    np.testing.assert_allclose(value.silence_days[:2], [10, 50])
    np.testing.assert_allclose(value.order_recency_days, [10, 50, np.nan, np.nan])
    assert value.orders.tolist() == [4, 5, 0, 0]
    assert value.spend.tolist() == [20, 25, 0, 0]
    # Days with a return after the first day; the second order of day 10 is none.
    np.testing.assert_array_equal(value.repeats, [2, 3, np.nan, np.nan])
    np.testing.assert_array_equal(value.last_days, [80, 140, np.nan, np.nan])
    np.testing.assert_array_equal(value.age_days, [90, 190, np.nan, np.nan])


def test_rows_by_mask_by_position_and_taken_later_are_the_same() -> None:
    history = history_of(shop_events(40))
    whole = values_of(history)
    mask = np.arange(len(whole.stage)) % 3 == 1
    for other in (values_of(history, mask), values_of(history, np.flatnonzero(mask))):
        for name, column in columns(whole.take(mask)).items():
            np.testing.assert_array_equal(columns(other)[name], column)


def test_pieces_one_after_the_other_are_the_whole() -> None:
    whole = values_of(history_of(shop_events(40)))
    middle = len(whole.stage) // 2
    places = np.arange(len(whole.stage))
    again = concat_values([whole.take(places < middle), whole.take(places >= middle)])
    for name, column in columns(whole).items():
        np.testing.assert_array_equal(columns(again)[name], column)
        assert columns(again)[name].dtype == column.dtype
