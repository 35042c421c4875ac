from features.contract import KINDS, TABLES


def test_every_kind_is_a_bucketed_table() -> None:
    for kind in KINDS:
        assert TABLES[kind].partition_by == ("bucket",)
        assert TABLES[kind].sort_key[:2] == ("bucket", "customer_id")
        assert "bucket" not in TABLES[kind].file_schema.names


def test_sort_keys_times_and_plain_columns_exist() -> None:
    for table in TABLES.values():
        names = set(table.schema.names)
        assert {*table.sort_key, *table.plain, *table.required, table.time} <= names


def test_event_rows_are_fully_ordered() -> None:
    assert set(TABLES["events"].sort_key) == set(TABLES["events"].schema.names)
