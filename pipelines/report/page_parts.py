"""The page's parts in words: what the template only has to lay out."""

from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.report.judgement import Judgement
from pipelines.report.page_words import (
    CONTACTS,
    CUSTOMERS,
    DAYS,
    HOURS,
    PAGE_WORDS,
    ROWS,
    RULE_SERVES,
    VERDICT_WORDS,
)
from pipelines.report.summary import ModelUse, NightSummary
from scoring.arms import SENT_ARMS
from scoring.code_words import EVIDENCE_WORDS, MODEL_WORDS
from scoring.exclusion_words import explain_code
from scoring.language import Language, money_text, number_text, percent_text
from scoring.list_files import channel_csv_name

_DAY_HOURS = 24


@dataclass(frozen=True, slots=True)
class Labels:
    """How operators call channels, offers and stages, by name."""

    channels: Mapping[str, str]
    offers: Mapping[str, str]
    stages: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Meter:
    """A line of text with a figure and a bar; `percent` of the full width.

    `hint` explains the text, `code` is what machines call it.
    """

    text: str
    told: str
    percent: float
    code: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class ChannelRow:
    """What one channel is to send; `seats` are null without a limit."""

    channel: str
    contacts: int
    seats: int | None
    hours: str
    cost: float
    file: str


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A model in words."""

    name: str
    version: str
    trained_until: str
    age: str
    source: str
    judged: str


def say(place: str, /, *, language: Language, **parts: str) -> str:
    """A text of the page by section and key, such as "tonight.contacts"."""
    section, _, key = place.partition(".")
    return PAGE_WORDS[section][key].say(language, **parts)


def channel_rows(night: NightSummary, table: pa.Table) -> tuple[ChannelRow, ...]:
    """Contacts, hours and cost per channel, in configured order."""
    costs = table.select(["arm", "channel", "contact_cost"])
    sent = costs.filter(pc.is_in(costs["arm"], value_set=pa.array(SENT_ARMS, pa.string())))
    grouped = sent.group_by("channel").aggregate([("contact_cost", "sum")]).to_pydict()
    cost = dict(zip(grouped["channel"], grouped["contact_cost_sum"], strict=True))
    return tuple(
        ChannelRow(
            channel=channel,
            contacts=sum(arms[arm] for arm in SENT_ARMS),
            seats=night.seats[channel],
            hours=_span(tuple(night.by_hour[channel])),
            cost=cost.get(channel, 0.0),
            file=channel_csv_name(channel),
        )
        for channel, arms in night.by_channel.items()
    )


def _span(hours: tuple[str, ...]) -> str:
    """First to last hour: "19:00–21:00"."""
    return f"{hours[0]}:00–{int(hours[-1]) + 1:02d}:00" if hours else ""


def hour_rows(night: NightSummary) -> list[tuple[str, dict[str, int]]]:
    """Contacts by channel for every local hour in which there are any."""
    hours = sorted({hour for counts in night.by_hour.values() for hour in counts})
    return [
        (
            f"{hour}:00",
            {channel: counts.get(hour, 0) for channel, counts in night.by_hour.items()},
        )
        for hour in hours
    ]


def learning_words(night: NightSummary) -> dict[str, str]:
    """What trials cost, and why controls are left alone."""
    language, arms = night.language, night.by_arm
    controls = say(
        "learning.controls",
        language=language,
        ghosts=CUSTOMERS.count(arms["ghost"], language),
        ghost_share=_unbroken(percent_text(night.ghost_share, language=language)),
        holdouts=CUSTOMERS.count(arms["holdout"], language),
        holdout_share=_unbroken(percent_text(night.holdout_share, language=language)),
    )
    return {"trials": trial_text(night), "controls": controls}


def trial_text(night: NightSummary) -> str:
    """What trials cost, and how many rows chance has changed or brought."""
    language, rows = night.language, night.by_arm["explore"]
    cost = say("learning.no_cost", language=language)
    if rows and night.exploring_cost > 0:
        told = money_text(night.exploring_cost, night.currency, language=language)
        cost = say("learning.cost", language=language, cost=told)
    if not rows:
        return cost
    return say(
        "learning.drawn",
        language=language,
        cost=cost,
        rows=ROWS.count(rows, language),
        other=number_text(night.drawn_other, language=language),
        on_trial=number_text(night.on_trial, language=language),
    )


def _unbroken(share: str) -> str:
    """A share whose sign stays on the number's line."""
    return share.replace(" ", "\u00a0")


def code_meters(
    counts: Mapping[str, int], *, language: Language, caution: float
) -> tuple[Meter, ...]:
    """Exclusion codes in words, the most frequent first."""
    ordered = sorted(counts.items(), key=lambda one: -one[1])
    most = max(counts.values(), default=0)
    return tuple(
        Meter(
            text=explain_code(code, language=language, caution=caution),
            told=number_text(number, language=language),
            percent=round(100 * number / most, 2),
            code=code,
        )
        for code, number in ordered
    )


def evidence_meters(night: NightSummary) -> tuple[Meter, ...]:
    """How many contacts rest on what, the best evidence first."""
    return tuple(
        Meter(
            text=EVIDENCE_WORDS[code].name.say(night.language),
            hint=EVIDENCE_WORDS[code].meaning.say(night.language),
            told=CONTACTS.count(number, night.language),
            percent=round(100 * number / max(night.sent, 1), 2),
            code=code,
        )
        for code, number in reversed(tuple(night.by_evidence.items()))
        if number
    )


def freshness_text(night: NightSummary, moment: str | None) -> str:
    """How old the latest event is; `moment` says when it happened, null if there is none."""
    if night.last_event is None or moment is None:
        return say("trust.no_event", language=night.language)
    hours = int((night.as_of - night.last_event).total_seconds() // 3600)
    if hours < 1:
        age = say("trust.under_hour", language=night.language)
    elif hours < 2 * _DAY_HOURS:
        age = HOURS.count(hours, night.language)
    else:
        age = DAYS.count(hours // _DAY_HOURS, night.language)
    return say("trust.latest", language=night.language, moment=moment, age=age)


def model_rows(night: NightSummary) -> tuple[ModelRow, ...]:
    """The models, and how long before the as-of their training data ended."""
    return tuple(_model_row(model, night) for model in night.models)


def _model_row(model: ModelUse, night: NightSummary) -> ModelRow:
    days = max((night.as_of - model.trained_until).days, 0)
    return ModelRow(
        name=MODEL_WORDS[model.kind].say(night.language),
        version=model.version,
        trained_until=model.trained_until.astimezone(ZoneInfo(night.timezone)).date().isoformat(),
        age=DAYS.count(days, night.language),
        source=PAGE_WORDS["source"][model.source].say(night.language),
        judged=_judged_text(model.judged, night.language),
    )


def _judged_text(judged: Judgement | None, language: Language) -> str:
    if judged is None:
        return say("trust.not_judged", language=language)
    verdict = RULE_SERVES if judged.verdict is None else VERDICT_WORDS[judged.verdict]
    return say(
        "trust.judged_told",
        language=language,
        auc=_unbroken(percent_text(judged.auc, language=language, decimals=1)),
        loss=number_text(judged.log_loss, language=language, decimals=3),
        rule=number_text(judged.rule_log_loss, language=language, decimals=3),
        verdict=verdict.say(language),
        day=judged.day,
    )
