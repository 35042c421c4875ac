"""Some customers only: the same facts about them, chosen by nothing but their names."""

import numpy as np
import pytest
from feature_tables import AS_OFS, SPEC, history_of, microseconds, random_tables
from hypothesis import given, settings
from hypothesis import strategies as st

from features.bucket import bucket_of
from features.history_sample import (
    customer_hash,
    customer_hashes,
    lowest_hashes,
    select_customers,
)
from features.matrix import build_matrix
from features.return_counts import count_returns
from features.stage import Stage
from features.stage_state import stage_states

STAGES = (
    Stage("seen", "has looked", ("view", "login"), ("view",), ("purchase",), 20.0),
    Stage("buyer", "has bought", ("purchase",), ("login",), ("purchase", "reorder"), 60.0),
)
AS_OF_US = microseconds(AS_OFS)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_chosen_have_the_features_stages_and_counts_of_the_whole_history(seed: int) -> None:
    whole = history_of(random_tables(seed))
    chosen = np.array([0, 2, 3, whole.n_customers - 1])
    some = select_customers(whole, chosen)
    assert list(some.customer_id) == [whole.customer_id[place] for place in chosen]
    for history in (whole, some):
        assert len(history.events.offsets) == history.n_customers + 1
    all_rows = build_matrix(whole, spec=SPEC, as_ofs=AS_OF_US)
    rows = build_matrix(some, spec=SPEC, as_ofs=AS_OF_US)
    kept = np.isin(all_rows.customer, chosen)
    np.testing.assert_array_equal(rows.values, all_rows.values[kept])
    np.testing.assert_array_equal(rows.as_of, all_rows.as_of[kept])
    np.testing.assert_array_equal(chosen[rows.customer], all_rows.customer[kept])
    all_states = stage_states(whole, STAGES, spec=SPEC, as_ofs=AS_OF_US)
    states = stage_states(some, STAGES, spec=SPEC, as_ofs=AS_OF_US)
    np.testing.assert_array_equal(states.stage, all_states.stage[kept])
    np.testing.assert_array_equal(states.silence_days, all_states.silence_days[kept])
    np.testing.assert_array_equal(states.dormant, all_states.dormant[kept])
    all_counts = count_returns(whole, STAGES, spec=SPEC, states=all_states).take(kept)
    counts = count_returns(some, STAGES, spec=SPEC, states=states)
    for name in ("repeats", "last_days", "age_days"):
        np.testing.assert_array_equal(getattr(counts, name), getattr(all_counts, name))


def test_everybody_is_the_history_itself_and_nobody_is_empty() -> None:
    whole = history_of(random_tables(4))
    assert select_customers(whole, np.arange(whole.n_customers)) is whole
    none = select_customers(whole, np.zeros(0, dtype=np.int64))
    assert none.n_customers == 0 and len(none.events.occurred_at) == 0
    assert build_matrix(none, spec=SPEC, as_ofs=AS_OF_US).values.shape[0] == 0


@given(
    st.lists(st.integers(0, 2**64 - 1), unique=True, max_size=60),
    st.integers(0, 70),
)
@settings(deadline=None)
def test_the_lowest_hashes_are_chosen_in_the_order_of_the_customers(
    numbers: list[int], at_most: int
) -> None:
    hashes = np.array(numbers, dtype=np.uint64)
    lowest = set(sorted(numbers)[:at_most])
    expected = [place for place, number in enumerate(numbers) if number in lowest]
    assert lowest_hashes(hashes, at_most).tolist() == expected


def test_a_hash_is_the_ids_alone_and_not_the_bits_of_its_bucket() -> None:
    """Chosen by the bits of the bucket, the lowest hashes would be whole buckets."""
    history = history_of(random_tables(5))
    expected = [customer_hash(name) for name in history.customer_id]
    assert customer_hashes(history).tolist() == expected
    names = [f"customer {number}" for number in range(4_000)]
    hashes = np.array([customer_hash(name) for name in names], dtype=np.uint64)
    buckets = np.array([bucket_of(name, n_buckets=4) for name in names])
    low = lowest_hashes(hashes, 1_000)
    assert np.bincount(buckets[low], minlength=4).min() > 200
