"""Texts in both languages: nothing missing, nothing left in the other one."""

import re
from typing import get_args

import pytest
from catalogues import catalogue_modules, latin_left, placeholders, texts_of

from features.life_cycle import LIFE_CYCLES
from features.value_tier import VALUE_TIERS
from models.bundle import AnyKind
from models.contact_effect import EVIDENCE, RUNGS
from scoring.arms import ARMS
from scoring.code_words import (
    ARM_WORDS,
    CODE_WORDS,
    EVIDENCE_WORDS,
    LIFE_CYCLE_WORDS,
    MODEL_WORDS,
    PROMOTION_WORDS,
    RUNG_WORDS,
    SEND_BASIS_WORDS,
    VALUE_TIER_WORDS,
)
from scoring.column_words import COLUMN_WORDS
from scoring.customer_hours import SEND_BASES
from scoring.eligibility import CHANNEL_RULES
from scoring.exclusion_words import CONFIG_KEYS, EXCLUSION_WORDS, explain_code
from scoring.language import (
    LANGUAGES,
    Language,
    Noun,
    Text,
    join_texts,
    list_texts,
    money_text,
    number_text,
    percent_text,
)
from scoring.night import EXCLUSIONS
from scoring.promotion import PROMOTIONS
from scoring.recall_list import SCHEMA

TEXTS = [
    (place, text)
    for module in catalogue_modules()
    for place, text in texts_of(module)
    if isinstance(text, Text)
]
NOUNS = [
    (place, noun)
    for module in catalogue_modules()
    for place, noun in texts_of(module)
    if isinstance(noun, Noun)
]
CHINESE = re.compile(r"[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]")


def test_the_catalogues_are_found() -> None:
    assert len(TEXTS) > 150


def test_both_languages_have_the_same_placeholders() -> None:
    assert [place for place, text in TEXTS if placeholders(text.en) != placeholders(text.zh)] == []


def test_no_text_is_empty_or_padded() -> None:
    faults = [
        place
        for place, text in TEXTS
        if not text.en or not text.zh or text.en != text.en.strip() or text.zh != text.zh.strip()
    ]
    assert faults == []


def test_no_english_is_left_in_chinese_texts() -> None:
    left = {place: latin_left(text.zh) for place, text in TEXTS if latin_left(text.zh)}
    left |= {place: latin_left(noun.zh) for place, noun in NOUNS if latin_left(noun.zh)}
    assert left == {}


def test_no_chinese_is_left_in_english_texts() -> None:
    assert [place for place, text in TEXTS if CHINESE.search(text.en)] == []
    assert [place for place, noun in NOUNS if CHINESE.search(noun.one + noun.many)] == []


def test_chinese_texts_use_chinese_punctuation() -> None:
    between = re.compile(r"[\u4e00-\u9fff][,;:?!]|[,;:?!][\u4e00-\u9fff]|[\u4e00-\u9fff]\.(\s|$)")
    assert [place for place, text in TEXTS if between.search(text.zh)] == []


def test_every_exclusion_and_no_other_has_words() -> None:
    codes = {*EXCLUSIONS[1:], *CHANNEL_RULES[1:]}
    assert set(EXCLUSION_WORDS) == codes


@pytest.mark.parametrize("language", LANGUAGES)
def test_codes_are_explained_in_the_language(language: Language) -> None:
    told = explain_code("no_consent_or_unreachable:sms_consent", language=language)
    assert "sms_consent" in told
    assert bool(CHINESE.search(told)) == (language == "zh")


def test_every_column_has_words() -> None:
    assert list(COLUMN_WORDS) == SCHEMA.names
    for language in LANGUAGES:
        headers = [words.header.say(language) for words in COLUMN_WORDS.values()]
        assert len({*headers}) == len(headers)


def test_every_code_of_a_column_has_words() -> None:
    assert tuple(ARM_WORDS) == ARMS
    assert tuple(VALUE_TIER_WORDS) == VALUE_TIERS
    assert tuple(LIFE_CYCLE_WORDS) == LIFE_CYCLES
    assert tuple(PROMOTION_WORDS) == PROMOTIONS
    assert tuple(SEND_BASIS_WORDS) == SEND_BASES
    assert tuple(EVIDENCE_WORDS) == EVIDENCE
    assert tuple(RUNG_WORDS) == RUNGS
    assert set(MODEL_WORDS) == set(get_args(AnyKind))
    assert set(CODE_WORDS) <= set(SCHEMA.names)


def test_numbers() -> None:
    assert number_text(1234567.8, language="en") == "1\u202f234\u202f568"
    assert number_text(1234.5, language="zh", decimals=2) == "1,234.50"
    assert percent_text(0.123, language="en") == "12 %"
    assert percent_text(0.1234, language="zh", decimals=1) == "12.3%"


def test_money() -> None:
    assert money_text(1234567.8, "USD", language="en") == "1\u202f234\u202f568 USD"
    assert money_text(3.0, "EUR", language="en") == "3.00 EUR"
    assert money_text(-1340.2, "EUR", language="zh") == "-1,340 EUR"
    assert money_text(3.0, "CNY", language="zh") == "3.00元"
    assert money_text(3.0, "CNY", language="en") == "3.00 CNY"


def test_nouns_are_counted() -> None:
    day = Noun("day", "days", "天")
    assert [day.count(number, "en") for number in (0, 1, 1200)] == [
        "0 days",
        "1 day",
        "1\u202f200 days",
    ]
    assert [day.count(number, "zh") for number in (1, 1200)] == ["1天", "1,200天"]


def test_parts_are_put_together() -> None:
    assert join_texts(["a", "b"], language="en") == "a and b"
    assert join_texts(["a", "b", "c", "d"], language="en") == "a, b, c and d"
    assert join_texts(["a"], language="en") == "a"
    assert not join_texts([], language="en")
    assert list_texts(["a", "b"], language="en") == "a, b"
    assert (
        join_texts(["甲", "乙"], language="zh")
        == list_texts(["甲", "乙"], language="zh")
        == "甲、乙"
    )


def test_braces_of_parts_are_left_alone() -> None:
    assert Text("{what}!", "{what}！").say("en", what="{x}") == "{x}!"


def test_a_minimum_that_caution_lifted_is_said_to_be() -> None:
    cautious = {
        language: explain_code("gain_below_minimum", language=language, caution=0.5)
        for language in LANGUAGES
    }
    assert cautious == {
        "en": "no allowed contact gains more than the minimum after taking off 0.5 standard errors",
        "zh": "扣除 0.5 个标准误后，任何可用方案的收益都不高于下限",
    }
    assert explain_code("outbid", language="en", caution=0.5) == explain_code(
        "outbid", language="en"
    )


def test_reasons_hold_no_configuration_keys_but_tell_where_limits_are_set() -> None:
    assert set(CONFIG_KEYS) <= set(EXCLUSION_WORDS)
    for words in EXCLUSION_WORDS.values():
        assert not any(key in words.en + words.zh for key in CONFIG_KEYS.values())


def test_what_rounds_to_nothing_has_no_sign() -> None:
    assert number_text(-0.004, language="en", decimals=2) == "0.00"
    assert number_text(-0.4, language="zh") == "0"
    assert number_text(-0.006, language="en", decimals=2) == "-0.01"
