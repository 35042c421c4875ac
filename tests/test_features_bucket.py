import duckdb
from hypothesis import given
from hypothesis import strategies as st

from features.bucket import bucket_of, bucket_sql

odd_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))


def test_known_buckets_stay_where_they_are() -> None:
    assert [bucket_of(name, n_buckets=16) for name in ("1", "00001", "ü1", "")] == [8, 7, 1, 9]


@given(st.lists(odd_text, min_size=1, max_size=50), st.integers(1, 4096))
def test_duckdb_and_python_agree(names: list[str], n_buckets: int) -> None:
    with duckdb.connect() as connection:
        found = connection.execute(
            f"SELECT list({bucket_sql('name', n_buckets)} ORDER BY place) FROM "
            "(SELECT unnest(?::VARCHAR[]) AS name, generate_subscripts(?::VARCHAR[], 1) AS place)",
            [names, names],
        ).fetchall()[0][0]
    assert found == [bucket_of(name, n_buckets=n_buckets) for name in names]


@given(st.integers(1, 64))
def test_buckets_are_in_range_and_all_used(n_buckets: int) -> None:
    used = {bucket_of(str(number), n_buckets=n_buckets) for number in range(64 * 40)}
    assert used == set(range(n_buckets))
