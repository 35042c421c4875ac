"""What a reader must know about a list before trusting it."""

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np

from pipelines.contamination import LOOK_BACK_DAYS, Contamination, contamination_texts
from pipelines.report.summary import ModelUse, exploring_cost
from scoring.arms import EXPLORE
from scoring.list_sheets import MAX_WORKBOOK_ROWS
from scoring.night import EXCLUSIONS, Night, NightPolicy, count_unknown_zones
from scoring.phrases import number_text
from scoring.pressure import DAY_US
from scoring.scored import ScoredCustomers

_STALE_DAYS = 2
"""Data of a daily feed are younger."""


@dataclass(frozen=True, slots=True)
class Background:
    """What notes need besides what was decided.

    Attributes
    ----------
    currency : ISO 4217 code.
    has_records : customer records were ingested.
    maps_zones : the configuration says where customers' time zones are.
    unreported : day of an earlier list of which no contact is known.
    contamination : contacts to controls, by channel.
    no_return_time : why no return-time model serves; null if one does.
    no_effects : why no model of effects serves; null if one does.
    now : the present instant; only an as-of in the future makes a difference.
    """

    models: tuple[ModelUse, ...]
    currency: str
    has_records: bool
    maps_zones: bool
    unreported: date | None
    no_return_time: str | None
    no_effects: str | None
    contamination: tuple[Contamination, ...]
    now: datetime


def night_notes(
    scored: ScoredCustomers, night: Night, policy: NightPolicy, *, background: Background
) -> tuple[str, ...]:
    """The notes of a night, the most important first."""
    notes = _model_notes(background.models, policy)
    notes += _date_notes(scored, policy, background.now)
    if background.unreported is not None:
        notes.append(
            f"No contact of the list of {background.unreported} or since had arrived before the "
            "as-of: its rows count as sent for caps and pauses until contacts of their channel "
            "that were sent after they expired arrive."
        )
    if background.contamination:
        told = "; ".join(contamination_texts(background.contamination))
        notes.append(
            f"Controls were contacted in the last {LOOK_BACK_DAYS} days: {told}. What the "
            "controls would prove is weakened by that: keep the tool that did it off them."
        )
    if background.no_return_time is not None:
        notes.append(f"The next_order columns are empty: {background.no_return_time}")
    if policy.channels:
        notes.append(_effect_note(night, background))
    if not policy.channels:
        notes.append("No channel is configured: the list is empty.")
    notes += _channel_notes(night, policy)
    if night.eligible.size and not night.order_value.any():
        notes.append("No customer has ordered: order values, and so all gains, are zero.")
    if not len(night.listed):
        return (*notes, _nobody_note(night, policy, background))
    unknown = count_unknown_zones(scored, night.eligible[night.listed])
    if unknown and background.maps_zones:
        notes.append(
            f"{number_text(unknown)} listed customers have no known time zone; their times are "
            f"those of {policy.zone}."
        )
    if len(night.listed) > MAX_WORKBOOK_ROWS:
        notes.append(f"The workbook holds the first {number_text(MAX_WORKBOOK_ROWS)} ranks only.")
    return (*notes, *_exploring_notes(night, background.currency))


def _nobody_note(night: Night, policy: NightPolicy, background: Background) -> str:
    is_closed = EXCLUSIONS.index("no_eligible_channel") in night.exclusion
    needs_consent = all(channel.requires for channel in policy.channels.values())
    if is_closed and needs_consent and not background.has_records:
        return (
            "Nobody is listed: no customer records were ingested, so no channel has consent. Fix: "
            "`winback ingest customers FILE`, mapped in [sources.customers]; or empty `requires`."
        )
    return f"Nobody is listed. {_main_reasons(night)}"


def _exploring_notes(night: Night, currency: str) -> list[str]:
    cost = exploring_cost(night)
    if cost <= 0:
        return []
    rows = int((night.draws.arm[night.listed] == EXPLORE).sum())
    return [
        f"Exploring costs {number_text(cost, decimals=2)} {currency} of expected gain tonight: "
        f"{number_text(rows)} {'row has' if rows == 1 else 'rows have'} an action drawn at "
        "random in place of the best one."
    ]


def _model_notes(models: tuple[ModelUse, ...], policy: NightPolicy) -> list[str]:
    notes = []
    later = [model for model in models if model.trained_until.timestamp() * 1e6 > policy.as_of_us]
    if later:
        kinds = " and ".join(model.kind for model in later)
        notes.append(
            f"The model saw data after this as-of ({kinds}, trained until "
            f"{_local_date(later[0].trained_until, policy.zone)}); figures are optimistic."
        )
    causes = {
        "local copy": "MLflow was unreachable",
        "local copy, store lost": "MLflow has lost its registered models (train again)",
    }
    for source, cause in causes.items():
        copies = [model for model in models if model.source == source]
        if copies:
            kinds = " and ".join(f"{model.kind} version {model.version}" for model in copies)
            notes.append(f"{cause}: the last local champion was used for {kinds}.")
    return notes


def _date_notes(scored: ScoredCustomers, policy: NightPolicy, now: datetime) -> list[str]:
    notes = []
    if policy.as_of_us > now.timestamp() * 1e6:
        notes.append("The as-of lies in the future: events until then are missing.")
    days_old = (policy.as_of_us - scored.last_event_us) // DAY_US
    if days_old >= _STALE_DAYS:
        notes.append(
            f"The latest known event is {number_text(days_old)} days older than the as-of: newer "
            "ones may be missing, and customers may look more silent than they are."
        )
    return notes


def _channel_notes(night: Night, policy: NightPolicy) -> list[str]:
    closed = [
        name
        for name in policy.channels
        if not any(slot for (_, channel), slot in night.slots.items() if channel == name)
    ]
    notes = []
    if closed and night.slots:
        notes.append(
            f"Quiet hours leave no send window of {', '.join(closed)}: check channels.*.windows."
        )
    empty = [name for name, channel in policy.channels.items() if channel.capacity == 0]
    if empty:
        notes.append(f"Capacity is 0 on {', '.join(empty)}.")
    return notes


def _main_reasons(night: Night) -> str:
    counts = np.bincount(night.exclusion, minlength=len(EXCLUSIONS))
    top = sorted(range(1, len(EXCLUSIONS)), key=lambda code: -counts[code])[:3]
    parts = [f"{EXCLUSIONS[code]}: {number_text(counts[code])}" for code in top if counts[code]]
    return f"Reasons: {', '.join(parts)}." if parts else "No customer was scored."


def _local_date(moment: datetime, zone: str) -> date:
    return moment.astimezone(ZoneInfo(zone)).date()


def _effect_note(night: Night, background: Background) -> str:
    """What the effects on the list rest on, and whether they are proven."""
    effect = night.effects.effect
    if background.no_effects is not None:
        return (
            "Effects of contact are the configuration's assumptions, not proven yet (evidence "
            f'"rules"). {background.no_effects}'
        )
    measured = effect.evidence.count("uplift")
    if not measured:
        words = " or ".join(f'"{word}"' for word in sorted(set(effect.evidence), reverse=True))
        return (
            f"Effects of contact are assumptions, not proven yet (evidence {words}): no action is "
            "measured against its control so far. The lists' controls are what will prove them."
        )
    left = len(effect.actions) - measured
    rest = f"; of the other {left} they are assumed, not proven yet" if left else ""
    return (
        f"Effects of contact are measured for {measured} of {len(effect.actions)} actions "
        f"(estimator: {effect.rung.replace('_', ' ')}){rest}."
    )
