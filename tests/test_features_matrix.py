"""The feature matrix: its rows, its order, joining, and what may not change a byte."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from feature_oracle import Tables
from feature_tables import AS_OFS, SPEC, arrow_table, history_of, microseconds, random_tables

from features import matrix as matrix_module
from features.errors import UsageError
from features.history_reader import history_from_tables
from features.manifest import feature_manifest
from features.matrix import FeatureMatrix, build_matrix, concat_matrices
from features.spec import FeatureSpec

T = microseconds(AS_OFS)


def matrix_of(tables: Tables, as_ofs: np.ndarray = T) -> FeatureMatrix:
    return build_matrix(history_of(tables), spec=SPEC, as_ofs=as_ofs)


def rows_of(matrix: FeatureMatrix) -> dict[tuple[str, int], bytes]:
    return {
        (name, as_of): values.tobytes()
        for name, as_of, values in zip(
            matrix.customer_id, matrix.as_of.tolist(), matrix.values, strict=True
        )
    }


def test_a_row_is_a_customer_with_a_visible_event() -> None:
    day = pd.Timedelta(days=1)
    first, second = AS_OFS[:2]
    events = pd.DataFrame(
        {
            "customer_id": ["late", "early", "unborn", "foreign", "edge"],
            "occurred_at": [first - day, first - day, second, first - day, first],
            "arrived_at": [first, first - day, second, first - day, first],
            "event_type": ["view", "view", "view", "banner", "view"],
        }
    )

    history = history_from_tables(0, spec=SPEC, events=arrow_table(events))
    matrix = build_matrix(history, spec=SPEC, as_ofs=T[:2])

    assert list(zip(matrix.customer_id, matrix.as_of.tolist(), strict=True)) == [
        ("early", T[0]),
        ("early", T[1]),
        ("edge", T[1]),
        ("late", T[1]),
    ]
    assert history.foreign_events == 1


def test_columns_follow_the_manifest() -> None:
    matrix = matrix_of(random_tables(1))

    assert matrix.names == tuple(feature.name for feature in feature_manifest(SPEC))
    assert matrix.values.shape == (len(matrix.as_of), len(matrix.names))
    assert matrix.values.dtype == np.float32
    assert matrix.values.flags.c_contiguous
    np.testing.assert_array_equal(matrix.column("orders_7d"), matrix.to_frame()["orders_7d"])


@pytest.mark.parametrize("seed", range(4))
def test_the_order_of_input_rows_never_matters(seed: int) -> None:
    tables = random_tables(seed)
    shuffled = Tables(
        *(
            table.sample(frac=1.0, random_state=seed)
            for table in (tables.events, tables.contacts, tables.profiles)
        )
    )

    assert matrix_of(tables).values.tobytes() == matrix_of(shuffled).values.tobytes()


def test_row_groups_and_encodings_never_matter() -> None:
    tables = random_tables(3, customers=30)
    events = arrow_table(tables.events)
    words = ("customer_id", "event_type", "order_id", "category")
    pieces = [
        events.slice(start, 37).set_column(
            0, "customer_id", events["customer_id"].slice(start, 37).dictionary_encode()
        )
        for start in range(0, len(events), 37)
    ]
    chunked = pa.concat_tables(pieces)
    for name in words[1:]:
        at = chunked.schema.get_field_index(name)
        chunked = chunked.set_column(at, name, chunked[name].dictionary_encode())

    plain = build_matrix(history_from_tables(0, spec=SPEC, events=events), spec=SPEC, as_ofs=T)
    pieced = build_matrix(history_from_tables(0, spec=SPEC, events=chunked), spec=SPEC, as_ofs=T)

    assert plain.values.tobytes() == pieced.values.tobytes()
    assert plain.customers.equals(pieced.customers)


def test_a_customers_row_depends_on_nobody_else() -> None:
    tables = random_tables(5, customers=20)
    whole = rows_of(matrix_of(tables))
    names = sorted(set(tables.events["customer_id"]))
    parts: dict[tuple[str, int], bytes] = {}
    for group in (names[:1], names[1:9], names[9:]):
        part = Tables(
            *(
                table[table["customer_id"].isin(group)]
                for table in (tables.events, tables.contacts, tables.profiles)
            )
        )
        parts |= rows_of(matrix_of(part))

    assert parts == whole


def test_chunks_of_customers_never_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    tables = random_tables(6, customers=20)
    whole = matrix_of(tables)

    monkeypatch.setattr(matrix_module, "CHUNK_CUSTOMERS", 3)

    assert matrix_of(tables).values.tobytes() == whole.values.tobytes()


def test_one_walk_over_several_as_ofs_equals_one_walk_each() -> None:
    tables = random_tables(7)
    together = rows_of(matrix_of(tables))
    apart: dict[tuple[str, int], bytes] = {}
    for as_of in T:
        apart |= rows_of(matrix_of(tables, np.array([as_of])))

    assert apart == together


def test_tied_orders_sum_in_one_order_whatever_their_numbering() -> None:
    # 0.1 + 0.2 + 0.3 depends on the order of the additions in the last bit.
    when = AS_OFS[0] - pd.Timedelta(days=1)
    lines = pd.DataFrame(
        {
            "customer_id": "c",
            "occurred_at": when,
            "arrived_at": when,
            "event_type": "purchase",
            "amount": [0.3, 0.1, 0.2, 1e17, -1e17],
            "order_id": ["b", "a", "c", "d", "e"],
        }
    )
    results = {
        build_matrix(
            history_from_tables(
                0, spec=SPEC, events=arrow_table(lines.sample(frac=1, random_state=seed))
            ),
            spec=SPEC,
            as_ofs=T[:1],
        ).values.tobytes()
        for seed in range(20)
    }

    assert len(results) == 1


def test_lines_of_one_order_are_one_order() -> None:
    when = AS_OFS[0] - pd.Timedelta(days=2)
    hour = pd.Timedelta(hours=1)
    lines = pd.DataFrame(
        {
            "customer_id": "c",
            "occurred_at": [when, when + hour, when + 2 * hour, when + 3 * hour],
            "arrived_at": when,
            "event_type": ["purchase", "view", "purchase", "purchase"],
            "amount": [10.0, None, 5.0, 1.0],
            "order_id": ["a", None, "a", "b"],
        }
    )

    frame = build_matrix(
        history_from_tables(0, spec=SPEC, events=arrow_table(lines)), spec=SPEC, as_ofs=T[:1]
    ).to_frame()

    assert frame["orders_lifetime"].tolist() == [2.0]
    assert frame["order_amount_max"].tolist() == [15.0]
    assert frame["order_lines_mean"].tolist() == [1.5]


def test_an_empty_bucket_gives_an_empty_matrix() -> None:
    events = arrow_table(random_tables(1).events).slice(0, 0)

    matrix = build_matrix(history_from_tables(4, spec=SPEC, events=events), spec=SPEC, as_ofs=T)

    assert matrix.values.shape == (0, len(feature_manifest(SPEC)))
    assert len(matrix.to_frame()) == 0


@pytest.mark.parametrize("as_ofs", [[], [5, 5], [7, 3]])
def test_as_ofs_must_ascend(as_ofs: list[int]) -> None:
    with pytest.raises(UsageError, match="do not ascend"):
        build_matrix(history_of(random_tables(1)), spec=SPEC, as_ofs=as_ofs)


def test_joined_matrices_keep_ids_and_rows() -> None:
    parts = [matrix_of(random_tables(seed)) for seed in (1, 2)]

    whole = concat_matrices(parts)

    assert list(whole.customer_id) == [*parts[0].customer_id, *parts[1].customer_id]
    assert whole.values.tobytes() == parts[0].values.tobytes() + parts[1].values.tobytes()


def test_matrices_of_different_columns_are_not_joined() -> None:
    other = FeatureSpec(("view",), ("view",), ("view",))
    events = arrow_table(random_tables(1).events)
    parts = [
        build_matrix(history_from_tables(0, spec=spec, events=events), spec=spec, as_ofs=T)
        for spec in (SPEC, other)
    ]

    with pytest.raises(UsageError, match="different columns"):
        concat_matrices(parts)
    with pytest.raises(UsageError, match="0 matrices"):
        concat_matrices([])


def test_events_before_1970_are_events() -> None:
    when = pd.Timestamp("1969-06-01", tz="UTC")
    events = pd.DataFrame(
        {"customer_id": ["c"], "occurred_at": when, "arrived_at": when, "event_type": "view"}
    )

    frame = build_matrix(
        history_from_tables(0, spec=SPEC, events=arrow_table(events)), spec=SPEC, as_ofs=T[:1]
    ).to_frame()

    assert frame["recency_days_activity"].tolist() == [(AS_OFS[0] - when).days]
    assert frame["activity_lifetime"].tolist() == [1.0]
