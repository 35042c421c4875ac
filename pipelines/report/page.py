"""report.html: one self-contained page for the people who use the list."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from importlib.resources import files as package_files
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from features.order_pace import RECENT_DAYS
from pipelines.report.charts import stack_bars
from pipelines.report.limit_words import limit_words
from pipelines.report.page_parts import (
    Labels,
    channel_rows,
    code_meters,
    evidence_meters,
    freshness_text,
    hour_rows,
    learning_words,
    model_rows,
    say,
)
from pipelines.report.page_words import CONTACTS, CUSTOMERS, DAYS, PAGE_WORDS, WEEKDAYS
from pipelines.report.segment_words import (
    life_cycle_meters,
    movement_words,
    promotion_meters,
)
from pipelines.report.summary import NightSummary
from scoring.code_words import CODE_WORDS
from scoring.early_warning_table import JOINT
from scoring.language import Language, list_texts, money_text, number_text, percent_text
from scoring.list_files import ListFile
from scoring.warning_words import WARNING_REASON_WORDS

REPORT_NAME = "report.html"
_TEMPLATE = "report.html.j2"
_TOP_ROWS = 12
_TOP_WARNINGS = 8
_TOP_COLUMNS = (
    "rank",
    "customer_id",
    "stage",
    "value_tier",
    "arm",
    "channel",
    "offer",
    "send_at_local",
    "p_return_natural",
    "p_return_contacted",
    "next_order_expected",
    "next_order_high",
    "expected_gain",
    "follow_up_of",
    "reason_1",
    "reason_2",
    "reason_3",
)
_COLOURS = 6
"""Classes c0 to c5 of the style; more channels share them."""


def build_page(
    summary: NightSummary, table: pa.Table, *, warnings: pa.Table, labels: Labels
) -> ListFile:
    """Render the page; equal inputs give equal bytes.

    Parameters
    ----------
    table : the recall list; only its first rows are shown, whatever its length.
    warnings : the early warnings, likewise.
    labels : how operators call channels, offers and stages.
    """
    language = summary.language
    channels = channel_rows(summary, table)
    last_event = None if summary.last_event is None else _local(summary.last_event, summary)
    page = (
        _environment(summary)
        .get_template(_TEMPLATE)
        .render(
            night=summary,
            labels=labels,
            day=_day(summary),
            horizon=f"{summary.horizon_days:g}",
            sections=_sections(summary),
            channel_rows=channels,
            used_channels=[labels.channels[row.channel] for row in channels if row.contacts],
            style_of={
                name: f"c{place % _COLOURS}" for place, name in enumerate(summary.by_channel)
            },
            hour_chart=stack_bars(hour_rows(summary)),
            rows=table.slice(0, _TOP_ROWS).select(list(_TOP_COLUMNS)).to_pylist(),
            limits=limit_words(summary, labels),
            has_budget=any(one.kind == "budget" for one in summary.prices),
            learning=learning_words(summary),
            left_out=code_meters(summary.exclusions, language=language, caution=summary.caution),
            closed={
                channel: code_meters(blocks, language=language, caution=summary.caution)
                for channel, blocks in summary.channel_blocks.items()
            },
            evidence=evidence_meters(summary),
            life_cycle=life_cycle_meters(summary),
            promotion=promotion_meters(summary),
            warnings=warnings.slice(0, _TOP_WARNINGS).to_pylist(),
            n_warnings=warnings.num_rows,
            recent_days=RECENT_DAYS,
            movement=movement_words(summary.segments.movement, language=language),
            freshness=freshness_text(summary, last_event),
            models=model_rows(summary),
        )
    )
    return ListFile(REPORT_NAME, page.encode("utf-8"))


def _sections(night: NightSummary) -> tuple[str, ...]:
    listed = ("customers",) if night.listed else ()
    return ("tonight", *listed, "limits", "learning", "left_out", "segments", "warnings", "trust")


def _environment(night: NightSummary) -> Environment:
    """Filters for figures and functions for words, in the night's language."""
    language = night.language
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(_source),
    )
    filters: dict[str, Callable[..., str]] = {
        "local": partial(_local, night=night),
        "count": partial(number_text, language=language),
        "about": partial(_about, language=language),
        "amount": partial(number_text, language=language, decimals=2),
        "money": partial(money_text, currency=night.currency, language=language),
        "percent": partial(percent_text, language=language),
        "share": partial(percent_text, language=language, decimals=1),
    }
    environment.filters.update(filters)
    environment.globals.update(
        say=partial(say, language=language),
        told=partial(_told, language=language),
        list=partial(list_texts, language=language),
        contacts=partial(CONTACTS.count, language=language),
        customers=partial(CUSTOMERS.count, language=language),
        days=partial(DAYS.count, language=language),
        name_of=partial(_name_of, language=language),
        warning_text=partial(_warning_text, language=language),
    )
    return environment


def _source(name: str) -> str:
    return package_files("pipelines.report").joinpath(name).read_text(encoding="utf-8")


def _told(place: str, /, *, language: Language, **parts: Any) -> Markup:
    """A text of the page whose figures stand out."""
    section, _, key = place.partition(".")
    text = Markup(getattr(PAGE_WORDS[section][key], language))
    return text.format(**{name: Markup("<b>{}</b>").format(part) for name, part in parts.items()})


def _name_of(column: str, code: str, *, language: Language) -> str:
    return CODE_WORDS[column][code].name.say(language)


def _warning_text(reasons: str, *, language: Language) -> str:
    """Why a customer is warned of; several reasons stand with `JOINT` between them."""
    names = [WARNING_REASON_WORDS[one].name.say(language) for one in reasons.split(JOINT)]
    return list_texts(names, language=language)


def _about(number: float, *, language: Language) -> str:
    """Whole from ten on, one decimal below."""
    return number_text(number, language=language, decimals=0 if abs(number) >= 10 else 1)


def _day(night: NightSummary) -> str:
    """Sunday, 2026-11-22."""
    weekday = WEEKDAYS[night.day.weekday()].say(night.language)
    return say("head.day", language=night.language, day=night.day.isoformat(), weekday=weekday)


def _local(moment: datetime, night: NightSummary) -> str:
    """2026-11-21 00:00 Europe/Berlin."""
    return f"{moment.astimezone(ZoneInfo(night.timezone)):%Y-%m-%d %H:%M} {night.timezone}"
