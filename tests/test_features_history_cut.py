"""Histories as they were known at an instant: what came later is not there, whatever it is."""

import numpy as np
import pandas as pd
import pytest
from feature_oracle import Tables, oracle_matrix
from feature_tables import AS_OFS, SPEC, history_of, microseconds, random_tables

from features.history_cut import known_before, visible_customers
from features.kernels.feature import DAY_US
from features.matrix import FeatureMatrix, build_matrix

T = microseconds(AS_OFS)
LATER = pd.Timedelta(days=7)


def matrix_later(tables: Tables, at: int, *, every: int = 1, days: float = 7.0) -> FeatureMatrix:
    """Features some days after the as-of of every so many of its visible customers."""
    history = history_of(tables)
    customers = visible_customers(history, as_of_us=int(T[at]))[::every]
    known = known_before(history, customers=customers, as_of_us=int(T[at]))
    return build_matrix(known, spec=SPEC, as_ofs=[int(T[at] + days * DAY_US)])


def known_at(tables: Tables, as_of: pd.Timestamp) -> Tables:
    """The tables with what happened and arrived before the as-of alone."""
    kept = []
    happened = ("occurred_at", "sent_at", "changed_at")
    for table, time in zip(
        (tables.events, tables.contacts, tables.profiles), happened, strict=True
    ):
        own = table[(table[time] < as_of) & (table["arrived_at"] < as_of)].copy()
        for name in ("delivered_at", "opened_at", "clicked_at", "unsubscribed_at"):
            if name in own:
                own[name] = own[name].where(own[name] < as_of)
        kept.append(own)
    return Tables(*kept)


@pytest.mark.parametrize("at", range(len(AS_OFS)))
def test_at_the_as_of_itself_nothing_changes(at: int) -> None:
    tables = random_tables(3)
    whole = build_matrix(history_of(tables), spec=SPEC, as_ofs=[int(T[at])])
    found = matrix_later(tables, at, days=0)
    assert found.customer_id.tolist() == whole.customer_id.tolist()
    assert found.values.tobytes() == whole.values.tobytes()


@pytest.mark.parametrize("seed", [1, 2])
def test_later_the_same_is_known(seed: int) -> None:
    tables, as_of = random_tables(seed), AS_OFS[1]
    found = matrix_later(tables, 1).to_frame()
    expected = oracle_matrix(known_at(tables, as_of), spec=SPEC, as_ofs=[as_of + LATER])
    assert found.index.tolist() == expected.index.tolist()
    np.testing.assert_allclose(
        found.to_numpy(), expected[found.columns].to_numpy(dtype=float), rtol=2e-5, atol=1e-5
    )


def test_rows_that_come_later_change_nothing() -> None:
    tables = random_tables(4)
    expected = matrix_later(known_at(tables, AS_OFS[1]), 1)
    assert matrix_later(tables, 1).values.tobytes() == expected.values.tobytes()


def test_customers_are_as_they_are_among_all() -> None:
    tables = random_tables(5)
    whole, some = matrix_later(tables, 1), matrix_later(tables, 1, every=3)
    assert some.customer_id.tolist() == whole.customer_id.tolist()[::3]
    assert some.values.tobytes() == whole.values[::3].tobytes()


def test_a_sign_up_still_to_come_is_not_known() -> None:
    tables = random_tables(6)
    tables.profiles["signup_at"] = AS_OFS[1] + pd.Timedelta(days=2)
    assert np.isnan(matrix_later(tables, 1).column("tenure_days_signup")).all()
