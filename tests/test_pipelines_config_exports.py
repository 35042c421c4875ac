"""[exports] of winback.toml: what it may say, and its faults with the nearest name."""

from pathlib import Path

import pytest
from list_folders import TOML
from test_pipelines_config import faults_of

from pipelines.config import Config, parse_config
from pipelines.init import PRESETS, preset_text
from scoring.export_plan import (
    CALLER_COLUMNS,
    SENDER_COLUMNS,
    Export,
    channel_columns,
    list_column_names,
    list_columns,
)
from scoring.recall_list import SCHEMA


def parsed(extra: str) -> Config:
    return parse_config((TOML + extra).encode(), place="winback.toml", home=Path())


def test_without_exports_files_have_what_their_readers_need() -> None:
    config = parsed("")
    assert config.exports == {}
    assert tuple(channel_columns("sms", Export())) == SENDER_COLUMNS
    assert tuple(channel_columns("phone", Export())) == CALLER_COLUMNS
    assert tuple(channel_columns("desk", Export(), seats_per_hour=4)) == CALLER_COLUMNS
    assert tuple(list_columns(Export())) == tuple(SCHEMA.names)
    assert {*CALLER_COLUMNS} <= {*list_column_names()}


def test_columns_may_be_a_table_or_a_list_and_keep_their_order() -> None:
    config = parsed(
        """
[exports.sms]
columns = {send_at_utc = "when", list_row_id = "ref", customer_id = "客户"}
delimiter = "\\t"
[exports.list]
columns = ["rank", "customer_id", "list_row_id"]
encoding = "gb18030"
"""
    )
    sms, whole = config.exports["sms"], config.exports["list"]
    assert list(channel_columns("sms", sms).items()) == [
        ("send_at_utc", "when"),
        ("list_row_id", "ref"),
        ("customer_id", "客户"),
    ]
    assert (sms.delimiter, sms.encoding) == ("\t", "utf-8")
    assert list_columns(whole) == {name: name for name in ("rank", "customer_id", "list_row_id")}
    assert whole.encoding == "gb18030"


@pytest.mark.parametrize("preset", PRESETS)
def test_the_presets_example_is_valid(preset: str) -> None:
    text = preset_text(preset)
    start = text.index("# [exports.sms]")
    lines = text[start:].split("\n\n")[0].splitlines()
    example = "\n".join(line.removeprefix("# ") for line in lines)
    config = parse_config(f"{text}\n{example}".encode(), place="winback.toml", home=Path())
    assert config.exports["sms"].delimiter == ";"


@pytest.mark.parametrize(
    ("extra", "fault"),
    [
        ("[exports.smss]", 'exports.smss: "smss" is not "list" or a channel; did you mean "sms"?'),
        (
            '[exports.sms]\ncolumns = ["list_row_id", "customer_ids", "customer_id"]',
            'exports.sms.columns: "customer_ids" is not a list column; did you mean "customer_id"?',
        ),
        (
            '[exports.sms]\ncolumns = ["customer_id", "rank"]',
            'exports.sms.columns: "list_row_id" is missing',
        ),
        (
            '[exports.list]\ncolumns = ["list_row_id"]',
            'exports.list.columns: "customer_id" is missing',
        ),
        (
            '[exports.sms]\ncolumns = {list_row_id = "id", customer_id = "id"}',
            'exports.sms.columns: "id" is there twice',
        ),
        (
            '[exports.sms]\ncolumns = ["customer_id", "customer_id"]',
            "expected a list that names each column once",
        ),
        ("[exports.sms]\ncolumns = [1, 2]", "expected a list of column names, or a table"),
        ('[exports.sms]\ncolumns = "customer_id"', "exports.sms.columns: 'customer_id'"),
        ('[exports.sms]\ncolumns = {list_row_id = ""}', "expected at least 1 character"),
        ('[exports.sms]\ndelimiter = "::"', "exports.sms.delimiter: '::' is not valid"),
        ('[exports.sms]\nencoding = "latin1"', "'utf-8', 'utf-8-sig' or 'gb18030'"),
        ("[exports.sms]\nquote = 1", "exports.sms.quote: unknown key"),
        (
            '[channels.list]\nlabel = "list"\ncost = 1\n[exports.list]\ndelimiter = ";"',
            'is the whole list and the channel "list" at once',
        ),
    ],
)
def test_faults_say_where_and_what_was_expected(extra: str, fault: str) -> None:
    faults = faults_of(TOML + extra)
    assert len(faults) == 1, faults
    assert fault in faults[0]
