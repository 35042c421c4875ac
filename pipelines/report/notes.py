"""What a reader must know about a list before trusting it."""

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np

from pipelines.contamination import LOOK_BACK_DAYS, Contamination
from pipelines.model_check import Absence
from pipelines.report.note_words import (
    ACTIONS,
    CAUSES_IN_CHINESE,
    CONTACT_NOTES,
    DATE_NOTES,
    DAYS,
    EFFECT_NOTES,
    LIST_NOTES,
    LISTED,
    MODEL_NOTES,
    NOBODY_NOTES,
    OR,
    QUOTED,
    RANKS,
)
from pipelines.report.summary import ModelUse
from scoring.code_words import MODEL_WORDS, RUNG_WORDS
from scoring.exclusion_words import explain_code
from scoring.language import Language, join_texts, list_clauses, list_texts, number_text
from scoring.list_sheets import MAX_WORKBOOK_ROWS
from scoring.night import EXCLUSIONS, Night, count_unknown_zones
from scoring.night_policy import NightPolicy
from scoring.pressure import DAY_US
from scoring.scored import ScoredCustomers

_STALE_DAYS = 2
"""Data of a daily feed are younger."""


@dataclass(frozen=True, slots=True)
class Background:
    """What notes need besides what was decided.

    Attributes
    ----------
    language : that of the notes.
    has_records : customer records had arrived before the as-of.
    maps_zones : the configuration says where customers' time zones are.
    unreported : day of an earlier list of which no contact is known.
    contamination : contacts to controls, by channel.
    no_return_time : why no return-time model serves; null if one does.
    no_effects : why no model of effects serves; null if one does.
    now : the present instant; only an as-of in the future makes a difference.
    """

    models: tuple[ModelUse, ...]
    language: Language
    has_records: bool
    maps_zones: bool
    unreported: date | None
    no_return_time: Absence | None
    no_effects: Absence | None
    contamination: tuple[Contamination, ...]
    now: datetime


def night_notes(
    scored: ScoredCustomers, night: Night, policy: NightPolicy, *, background: Background
) -> tuple[str, ...]:
    """The notes of a night, the most important first."""
    language = background.language
    notes = _model_notes(background.models, policy, language)
    notes += _date_notes(scored, policy, background.now, language)
    notes += _contact_notes(policy, background)
    if background.no_return_time is not None:
        cause = _cause_text(background.no_return_time, language)
        notes.append(LIST_NOTES["no_return_time"].say(language, cause=cause))
    if policy.channels:
        notes.append(_effect_note(night, background))
    else:
        notes.append(LIST_NOTES["no_channel"].say(language))
    notes += _channel_notes(night, policy, language)
    if night.eligible.size and not night.order_value.any():
        notes.append(LIST_NOTES["no_order"].say(language))
    if not len(night.listed):
        return (*notes, _nobody_note(night, policy, background))
    unknown = count_unknown_zones(scored, night.eligible[night.listed])
    if unknown and background.maps_zones:
        customers = LISTED.count(unknown, language)
        notes.append(LIST_NOTES["unknown_zone"].say(language, customers=customers))
    if len(night.listed) > MAX_WORKBOOK_ROWS:
        ranks = RANKS.count(MAX_WORKBOOK_ROWS, language)
        notes.append(LIST_NOTES["workbook_cut"].say(language, ranks=ranks))
    return tuple(notes)


def _contact_notes(policy: NightPolicy, background: Background) -> list[str]:
    language, notes = background.language, []
    if background.unreported is not None:
        day = background.unreported.isoformat()
        notes.append(CONTACT_NOTES["unreported"].say(language, day=day))
    if background.contamination:
        told = [
            CONTACT_NOTES["contaminated_channel"].say(
                language,
                channel=_channel_labels([one.channel], policy, language),
                number=number_text(one.holdout + one.ghost, language=language),
                holdout=number_text(one.holdout, language=language),
                ghost=number_text(one.ghost, language=language),
            )
            for one in background.contamination
        ]
        notes.append(
            CONTACT_NOTES["contaminated"].say(
                language,
                days=DAYS.count(LOOK_BACK_DAYS, language),
                told=list_clauses(told, language=language),
            )
        )
    return notes


def _channel_labels(names: list[str], policy: NightPolicy, language: Language) -> str:
    """How operators call channels; a name of a channel that is configured no longer."""
    labels = [policy.channels[name].label if name in policy.channels else name for name in names]
    return list_texts(labels, language=language)


def _cause_text(absence: Absence, language: Language) -> str:
    return CAUSES_IN_CHINESE[absence.cause] if language == "zh" else absence.fault


def _nobody_note(night: Night, policy: NightPolicy, background: Background) -> str:
    is_closed = EXCLUSIONS.index("no_eligible_channel") in night.exclusion
    needs_consent = all(channel.requires for channel in policy.channels.values())
    if is_closed and needs_consent and not background.has_records:
        return NOBODY_NOTES["no_records"].say(background.language)
    return _main_reasons(night, policy, background.language)


def _model_notes(
    models: tuple[ModelUse, ...], policy: NightPolicy, language: Language
) -> list[str]:
    notes = []
    later = [model for model in models if model.trained_until.timestamp() * 1e6 > policy.as_of_us]
    if later:
        notes.append(
            MODEL_NOTES["saw_later_data"].say(
                language,
                models=join_texts(
                    [MODEL_WORDS[model.kind].say(language) for model in later], language=language
                ),
                day=_local_date(later[0].trained_until, policy.zone).isoformat(),
            )
        )
    for source, note in (("local copy", "unreachable"), ("local copy, store lost", "store_lost")):
        copies = [
            MODEL_NOTES["version"].say(
                language, model=MODEL_WORDS[model.kind].say(language), version=model.version
            )
            for model in models
            if model.source == source
        ]
        if copies:
            told = join_texts(copies, language=language)
            notes.append(MODEL_NOTES[note].say(language, models=told))
    return notes


def _date_notes(
    scored: ScoredCustomers, policy: NightPolicy, now: datetime, language: Language
) -> list[str]:
    notes = []
    if policy.as_of_us > now.timestamp() * 1e6:
        notes.append(DATE_NOTES["future"].say(language))
    days_old = (policy.as_of_us - scored.last_event_us) // DAY_US
    if days_old >= _STALE_DAYS:
        notes.append(DATE_NOTES["stale"].say(language, days=DAYS.count(days_old, language)))
    return notes


def _channel_notes(night: Night, policy: NightPolicy, language: Language) -> list[str]:
    closed = [
        name
        for name in policy.channels
        if not any(slot for (_, channel), slot in night.slots.items() if channel == name)
    ]
    notes = []
    if closed and night.slots:
        channels = _channel_labels(closed, policy, language)
        notes.append(LIST_NOTES["quiet"].say(language, channels=channels))
    empty = [name for name, channel in policy.channels.items() if channel.capacity == 0]
    if empty:
        channels = _channel_labels(empty, policy, language)
        notes.append(LIST_NOTES["no_capacity"].say(language, channels=channels))
    return notes


def _main_reasons(night: Night, policy: NightPolicy, language: Language) -> str:
    counts = np.bincount(night.exclusion, minlength=len(EXCLUSIONS))
    top = sorted(range(1, len(EXCLUSIONS)), key=lambda code: -counts[code])[:3]
    parts = [
        NOBODY_NOTES["reason"].say(
            language,
            words=explain_code(EXCLUSIONS[code], language=language, caution=policy.limits.caution),
            number=number_text(counts[code], language=language),
        )
        for code in top
        if counts[code]
    ]
    if not parts:
        return NOBODY_NOTES["not_scored"].say(language)
    return NOBODY_NOTES["reasons"].say(language, reasons=list_texts(parts, language=language))


def _local_date(moment: datetime, zone: str) -> date:
    return moment.astimezone(ZoneInfo(zone)).date()


def _effect_note(night: Night, background: Background) -> str:
    """What the effects on the list rest on, and whether they are proven."""
    effect, language = night.effects.effect, background.language
    if background.no_effects is not None:
        cause = _cause_text(background.no_effects, language)
        return EFFECT_NOTES["assumed"].say(language, cause=cause)
    measured = effect.evidence.count("uplift")
    if not measured:
        first, *others = [
            QUOTED.say(language, code=code) for code in sorted(set(effect.evidence), reverse=True)
        ]
        evidence = OR.say(language, one=first, other=others[0]) if others else first
        return EFFECT_NOTES["unmeasured"].say(language, evidence=evidence)
    left = len(effect.actions) - measured
    return EFFECT_NOTES["partly_measured" if left else "measured"].say(
        language,
        measured=str(measured),
        actions=ACTIONS.count(len(effect.actions), language),
        estimator=RUNG_WORDS[effect.rung].say(language),
        left=str(left),
    )
