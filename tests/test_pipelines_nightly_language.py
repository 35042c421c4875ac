"""A night of a business that speaks Chinese: other words, the same decisions."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pyarrow as pa
import pytest
from catalogues import ALLOWED_LATIN, latin_left
from night_home import copy_home, night, read_list

from pipelines.config import Config, load_config
from pipelines.explain import explain
from pipelines.model_check import Absence
from pipelines.nightly import NightlyReport
from pipelines.report.note_words import CAUSES_IN_CHINESE
from pipelines.report.page import REPORT_NAME
from scoring.code_words import CODE_WORDS
from scoring.exclusion_words import EXCLUSION_WORDS

pytestmark = pytest.mark.usefixtures("champions")

LABELS = {
    'name = "Small Shop"': 'name = "示例商城"',
    'currency = "EUR"': 'currency = "EUR"\nlanguage = "zh"',
    'label = "has bought"': 'label = "已购买"',
    'label = "push message"': 'label = "推送"',
    'label = "e-mail"': 'label = "邮件"',
    'label = "phone call"': 'label = "电话"',
    'label = "no offer"': 'label = "无优惠"',
    'label = "5 % coupon"': 'label = "九五折券"',
}
LANGUAGE_COLUMNS = ("list_id", "list_row_id", "config_hash", "reason_1", "reason_2", "reason_3")


def in_chinese(config: Config, folder: Path) -> Config:
    """The same business with Chinese labels and language."""
    toml = (config.home / "winback.toml").read_text()
    for english, chinese in LABELS.items():
        toml = toml.replace(english, chinese)
    return copy_home(config, folder, toml=toml)


@pytest.fixture
def nights(home: Config, tmp_path: Path) -> Iterator[tuple[NightlyReport, NightlyReport]]:
    """The same night in English and in Chinese."""
    english = night(copy_home(home, tmp_path / "english"))
    yield english, night(in_chinese(home, tmp_path / "chinese"))


def reasons_of(table: pa.Table) -> list[str]:
    """All reasons of a list."""
    return [
        reason
        for name in ("reason_1", "reason_2", "reason_3")
        for reason in table[name].to_pylist()
        if reason is not None
    ]


def test_a_chinese_list_holds_the_same_rows_in_other_words(
    nights: tuple[NightlyReport, NightlyReport],
) -> None:
    english, chinese = (read_list(report) for report in nights)
    assert chinese.num_rows > 50
    same = [name for name in chinese.column_names if name not in LANGUAGE_COLUMNS]
    assert chinese.select(same).equals(english.select(same))
    said = reasons_of(chinese)
    assert len(said) == len(reasons_of(english)) > 100
    assert {text: latin_left(text, allowed={"EUR", "city"}) for text in said} == {
        text: [] for text in said
    }
    assert "已沉默" in " ".join(said)


def test_notes_of_a_chinese_night_are_chinese(nights: tuple[NightlyReport, NightlyReport]) -> None:
    english, chinese = (report.summary.notes for report in nights)
    assert len(chinese) == len(english) > 0
    assert {note: latin_left(note) for note in chinese} == {note: [] for note in chinese}


def test_why_a_model_does_not_serve_is_told_in_chinese(
    home: Config, champions: dict[str, Any], tmp_path: Path
) -> None:
    causes = get_type_hints(Absence)["cause"]
    assert tuple(CAUSES_IN_CHINESE) == get_args(causes)
    assert [latin_left(text) for text in CAUSES_IN_CHINESE.values()] == [[], []]
    champions["return_time"] = replace(champions["return_time"], horizon_days=60.0)
    notes = night(in_chinese(home, tmp_path / "chinese"), dry_run=True).summary.notes
    assert f"next_order 各列为空：{CAUSES_IN_CHINESE['unfit']}" in notes
    assert any(note.endswith(CAUSES_IN_CHINESE["missing"]) for note in notes)


def test_the_page_of_a_chinese_night_is_chinese(
    nights: tuple[NightlyReport, NightlyReport],
) -> None:
    page = (nights[1].folder / REPORT_NAME).read_text(encoding="utf-8")
    assert re.search(r'<html lang="zh', page)
    seen = re.sub(r"<(style|script|code)\b.*?</\1>|<[^>]+>", " ", page, flags=re.DOTALL)
    allowed = ALLOWED_LATIN | {"Europe", "Berlin", "city"}
    names = re.sub(r"\bc\d{5}\b|\bSHA\b", " ", seen)
    assert latin_left(names, allowed=allowed) == []
    titles = " ".join(re.findall(r'(?:title|aria-label|alt)="([^"]*)"', page))
    codes = {*EXCLUSION_WORDS, *(code for words in CODE_WORDS.values() for code in words)}
    assert latin_left(titles, allowed=allowed | codes) == []


def test_explain_speaks_the_list_language_where_it_tells_of_a_customer(
    nights: tuple[NightlyReport, NightlyReport],
) -> None:
    chinese = nights[1]
    table = read_list(chinese)
    told = explain(load_config(chinese.folder.parent.parent), table["customer_id"][0].as_py())
    assert told.reasons
    assert [latin_left(reason, allowed={"EUR", "city"}) for reason in told.reasons if reason] == [
        [] for reason in told.reasons
    ]
