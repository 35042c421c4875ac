"""From tables and warehouse files to histories: order, codes, versions, vocabulary."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from feature_tables import AS_OFS, SPEC, arrow_table, history_of, microseconds, random_tables

from features.bucket import bucket_of
from features.contract import CONTACTS, CUSTOMERS, EVENTS, TableContract
from features.history import NO_CODE, NO_TIME, History
from features.history_reader import (
    MAX_VOCABULARY,
    MIN_CUSTOMERS,
    HistoryReader,
    history_from_tables,
    learn_vocabulary,
    read_history,
)
from features.kernels.order import SORTED, TIED, UNSORTED, SortColumns, check_order, sort_rows
from features.matrix import build_matrix
from features.warehouse import Warehouse

N_BUCKETS = 3


def warehouse_rows(frame: pd.DataFrame, contract: TableContract) -> pa.Table:
    """All columns of the contract; those the frame lacks are null."""
    table = arrow_table(frame)
    buckets = [bucket_of(name, n_buckets=N_BUCKETS) for name in frame["customer_id"]]
    columns = {"bucket": pa.array(buckets, pa.int32())}
    for field in contract.file_schema:
        known = field.name in table.column_names
        columns[field.name] = table[field.name] if known else pa.nulls(len(frame), field.type)
    return pa.table(columns, schema=contract.schema)


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_history_from_the_warehouse_equals_history_from_tables(tmp_path: Path, scheme: str) -> None:
    tables = random_tables(11, customers=15)
    warehouse = Warehouse.open(f"{scheme}{tmp_path}", n_buckets=N_BUCKETS, create=True)
    half = len(tables.events) // 2
    # Two ingestions: the files of a bucket are sorted runs that must be merged.
    warehouse.append("events", warehouse_rows(tables.events.iloc[:half], EVENTS))
    warehouse.append("events", warehouse_rows(tables.events.iloc[half:], EVENTS))
    warehouse.append("contacts", warehouse_rows(tables.contacts, CONTACTS))
    warehouse.append("customers", warehouse_rows(tables.profiles, CUSTOMERS))
    as_ofs = microseconds(AS_OFS)
    whole = build_matrix(history_of(tables), spec=SPEC, as_ofs=as_ofs).to_frame()

    reader = HistoryReader(warehouse, spec=SPEC)
    parts = [
        build_matrix(reader.read(bucket), spec=SPEC, as_ofs=as_ofs).to_frame()
        for bucket in range(N_BUCKETS)
    ]

    assert all(len(part) for part in parts)
    pd.testing.assert_frame_equal(pd.concat(parts).sort_index(), whole.sort_index())


def test_an_earlier_version_can_be_read_again(tmp_path: Path) -> None:
    tables = random_tables(12)
    warehouse = Warehouse.open(str(tmp_path), n_buckets=N_BUCKETS, create=True)
    warehouse.append("events", warehouse_rows(tables.events.iloc[:50], EVENTS))
    versions = warehouse.versions()

    def rows(versions: dict[str, int] | None) -> int:
        return sum(
            len(read_history(warehouse, bucket, spec=SPEC, versions=versions).events.occurred_at)
            for bucket in range(N_BUCKETS)
        )

    before = rows(None)
    reader = HistoryReader(warehouse, spec=SPEC)
    warehouse.append("events", warehouse_rows(tables.events.iloc[50:], EVENTS))

    assert rows(versions) == before
    assert rows(None) > before
    opened_before = [reader.read(bucket) for bucket in range(N_BUCKETS)]
    assert sum(len(history.events.occurred_at) for history in opened_before) == before


def test_an_empty_bucket_is_an_empty_history(tmp_path: Path) -> None:
    warehouse = Warehouse.open(str(tmp_path), n_buckets=N_BUCKETS, create=True)

    history = read_history(warehouse, 1, spec=SPEC)

    assert history.n_customers == 0
    assert history.events.offsets.tolist() == [0]
    assert history.profiles.attribute.shape == (0, 2)


def small_history() -> History:
    at = AS_OFS[0]
    events = pd.DataFrame(
        {
            "customer_id": ["é", "b", "b", "a"],
            "occurred_at": [at, at, at - pd.Timedelta(days=1), at],
            "arrived_at": [at, at, None, at],
            "event_type": ["view", "login", "purchase", "banner"],
            "amount": [None, None, 3.0, None],
            "discount": None,
            "order_id": [None, None, "o1", None],
            "category": [None, "tea", "jam", "tea"],
        }
    )
    contacts = pd.DataFrame(
        {
            "customer_id": ["b", "nobody"],
            "contact_id": ["k", "l"],
            "channel": ["pigeon", "push"],
            "sent_at": at,
            "arrived_at": at,
            "delivered_at": None,
            "opened_at": None,
            "clicked_at": None,
            "unsubscribed_at": None,
        }
    )
    profiles = pd.DataFrame(
        {
            "customer_id": ["b"],
            "changed_at": [at],
            "arrived_at": [at],
            "signup_at": None,
            "attributes": [{"city": "Rome"}],
        }
    )
    return history_from_tables(
        2,
        spec=SPEC,
        events=arrow_table(events),
        contacts=arrow_table(contacts),
        profiles=arrow_table(profiles),
    )


def test_what_is_missing_has_its_own_value() -> None:
    history = small_history()

    # Customers in byte order; the event of a foreign type is gone, its customer is not.
    assert history.customer_id.tolist() == ["a", "b", "é"]
    assert history.foreign_events == 1
    assert history.events.offsets.tolist() == [0, 0, 2, 3]
    assert history.events.arrived_at[0] == NO_TIME
    # "b" has an order and a login with a category, "é" only a view without one.
    assert history.details.offsets.tolist() == [0, 0, 2, 2]
    assert np.isnan(history.details.amount).tolist() == [False, True]
    assert (history.details.order == NO_CODE).tolist() == [False, True]
    assert (history.details.category == NO_CODE).tolist() == [False, False]
    assert history.contacts.offsets.tolist() == [0, 0, 1, 1]
    assert history.contacts.channel.tolist() == [NO_CODE]
    assert history.contacts.opened_at.tolist() == [NO_TIME]
    assert history.profiles.signup_at.tolist() == [NO_TIME]
    assert history.profiles.attribute.tolist() == [[NO_CODE, NO_CODE]]


def sort_columns(seed: int, *, rows: int = 400) -> SortColumns:
    rng = np.random.default_rng(seed)
    money = np.array([np.nan, 1.0, 2.0])
    return SortColumns(
        customer=rng.integers(0, 7, rows).astype(np.int32),
        occurred_at=rng.integers(0, 9, rows),
        event_type=rng.integers(0, 3, rows).astype(np.int16),
        order=rng.integers(-1, 3, rows).astype(np.int32),
        amount=money[rng.integers(0, 3, rows)],
        discount=money[rng.integers(0, 3, rows)],
        type_rank=np.array([2, 0, 1], dtype=np.int32),
        valued=np.array([True, True, False]),
    )


@pytest.mark.parametrize("seed", range(5))
def test_rows_are_sorted_as_pandas_sorts_them(seed: int) -> None:
    key = sort_columns(seed)
    frame = pd.DataFrame(
        {
            "customer": key.customer,
            "occurred_at": key.occurred_at,
            "rank": key.type_rank[key.event_type],
            "order": np.where(key.order < 0, 99, key.order),
            "amount": key.amount,
            "discount": key.discount,
        }
    )

    rows = sort_rows(key, 7)

    assert sorted(rows.tolist()) == list(range(len(frame)))
    # Rows of a type without value stay as they came.
    frame.loc[~key.valued[key.event_type], ["order", "amount", "discount"]] = 0
    expected = frame.sort_values(list(frame.columns), kind="stable")
    assert rows.tolist() == expected.index.tolist()
    assert check_order(key) == UNSORTED
    in_order = SortColumns(*(column[rows] for column in key[:-2]), *key[-2:])
    assert check_order(in_order) != UNSORTED


def test_a_key_without_details_tells_of_ties() -> None:
    twice = np.zeros(2)
    nothing = np.empty(0)
    key = SortColumns(
        customer=twice.astype(np.int32),
        occurred_at=twice.astype(np.int64),
        event_type=twice.astype(np.int16),
        order=nothing.astype(np.int32),
        amount=nothing,
        discount=nothing,
        type_rank=np.arange(2, dtype=np.int32),
        valued=np.array([True, False]),
    )

    assert check_order(key) == TIED
    assert check_order(key._replace(event_type=np.array([1, 1], dtype=np.int16))) == SORTED
    assert check_order(key._replace(event_type=np.array([0, 1], dtype=np.int16))) == SORTED
    assert check_order(key._replace(occurred_at=np.array([0, 1]))) == SORTED
    assert check_order(key._replace(occurred_at=np.array([1, 0]))) == UNSORTED


def test_the_vocabulary_is_what_was_visible_and_frequent(tmp_path: Path) -> None:
    at = AS_OFS[0]
    day = pd.Timedelta(days=1)
    many = [f"v{number:03d}" for number in range(MAX_VOCABULARY + 5)]
    people = range(MIN_CUSTOMERS)
    rows = [
        (f"c{number}-{person}", at - day, at - day, value)
        for number, value in enumerate(many)
        for person in people
    ]
    rows += [("once more", at - day, at - day, many[-1])]
    rows += [(f"later{person}", at, at, "unseen") for person in people]
    rows += [(f"late{person}", at - day, at, "unseen") for person in people]
    rows += [("one", at - day - n * day, at - day, "of one customer") for n in people]
    rows += [("none", at - day, at - day, None)]
    frame = pd.DataFrame(rows, columns=["customer_id", "changed_at", "arrived_at", "value"])
    frame["signup_at"] = None
    frame["attributes"] = [
        {} if pd.isna(value) else {"city": value} for value in frame.pop("value")
    ]
    warehouse = Warehouse.open(str(tmp_path), n_buckets=N_BUCKETS, create=True)
    warehouse.append("customers", warehouse_rows(frame, CUSTOMERS))

    spec = learn_vocabulary(warehouse, SPEC, int(microseconds([at])[0]))

    # Ties go to the first names, but the value of one customer more is kept before any of them.
    assert spec.vocabulary == ((*many[: MAX_VOCABULARY - 1], many[-1]), ())


def test_the_vocabulary_does_not_depend_on_buckets(tmp_path: Path) -> None:
    tables = random_tables(13, customers=120)
    as_of = int(microseconds(AS_OFS)[-1])
    warehouse = Warehouse.open(str(tmp_path), n_buckets=N_BUCKETS, create=True)
    warehouse.append("customers", warehouse_rows(tables.profiles, CUSTOMERS))

    spec = learn_vocabulary(warehouse, SPEC, as_of)

    assert spec.vocabulary == (("Bern", "Oslo", "Rome"), ("free", "gold"))
