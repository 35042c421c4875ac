"""Rules that tie keys of winback.toml to each other."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from typing import Any

from features.source import EventRules
from features.stage import Stage
from pipelines.config_faults import unknown_name
from pipelines.config_segment_rules import segment_limit_rules
from scoring.export_plan import WHOLE_LIST, Export, list_column_names, missing_keys
from scoring.policy import Caps, Channel, Experiment, FollowUp, Offer, Span, span_times
from training.plan import TrainingPlan

_EVENT_TYPE = re.compile(r"^[A-Za-z][A-Za-z0-9_.-]{0,39}$")
_NAME = re.compile(r"^[a-z][a-z0-9_]{0,39}$")
_DAY_MINUTES = 24 * 60

Sections = Mapping[str, Any]
Rule = Callable[[Sections], Iterator[str]]


def rule_faults(sections: Sections) -> list[str]:
    """Every broken rule. A rule is skipped where a section it needs is itself faulty.

    Parameters
    ----------
    sections : the sections that are valid by themselves, by name.
    """
    return [fault for rule in _RULES for fault in rule(sections)]


def _event_rules(sections: Sections) -> Iterator[str]:
    events: EventRules | None = sections.get("events")
    if events is None:
        return
    for name in events.types:
        if not _EVENT_TYPE.match(name):
            yield (
                f'events.types: "{name}" is not valid; expected a letter, then up to 39 letters, '
                "digits, dots, dashes or underscores"
            )
    if len(set(events.types)) != len(events.types):
        yield from _twice("events.types", events.types)
    named = {
        "events.activity": events.activity,
        "events.orders": events.orders,
        "events.refunds": events.refunds,
        "events.unknown_as": (events.unknown_as,) if events.unknown_as else (),
    }
    for place, names in named.items():
        yield from _unknown(place, names, known=events.types, noun="in events.types")
    for name in sorted(set(events.orders) & set(events.refunds)):
        yield f'events.refunds: "{name}" is in events.orders too; expected it in one of the two'
    if events.unknown == "map" and events.unknown_as is None:
        yield 'events.unknown_as: missing; expected one of events.types, as unknown = "map"'


def _stage_rules(sections: Sections) -> Iterator[str]:
    stages: tuple[Stage, ...] = sections.get("stages", ())
    if not stages:
        return
    names = [stage.name for stage in stages]
    if len(set(names)) != len(names):
        yield from _twice("stages", names)
    if all(stage.silence_days is None for stage in stages):
        yield "stages: no stage has silence_days; expected at least one that customers go silent in"
    for position, stage in enumerate(stages):
        later = {kind for other in stages[position + 1 :] for kind in other.entered_by}
        if set(stage.entered_by) <= later:
            yield (
                f"{_stage_place(position, stage)}.entered_by: every type also enters a later "
                "stage, so that nobody is ever on this one; expected a type of its own"
            )


def _stage_references(sections: Sections) -> Iterator[str]:
    events: EventRules | None = sections.get("events")
    known = {"channels": sections.get("channels"), "offers": sections.get("offers")}
    nouns = {"channels": "a channel", "offers": "an offer"}
    for position, stage in enumerate(sections.get("stages", ())):
        place = _stage_place(position, stage)
        if events is not None:
            for field in ("entered_by", "active_on", "returns_by"):
                names = getattr(stage, field)
                yield from _unknown(
                    f"{place}.{field}", names, known=events.types, noun="in events.types"
                )
        for field, tables in known.items():
            if tables is not None:
                names = getattr(stage, field)
                yield from _unknown(
                    f"{place}.{field}", names, known=tuple(tables), noun=nouns[field]
                )


def _channel_rules(sections: Sections) -> Iterator[str]:
    channels: Mapping[str, Channel] = sections.get("channels", {})
    sources = sections.get("sources")
    for name, channel in channels.items():
        if sources is not None:
            yield from _unmapped_flags(name, channel, known=tuple(sources.customers.flags))
        for span in channel.quiet_hours:
            if not _minutes((span,)):
                yield (
                    f'channels.{name}.quiet_hours: "{span}" is empty; expected an end after the '
                    "start, or [] for no quiet hours"
                )
        quiet = _minutes(channel.quiet_hours)
        yield from _send_hours_faults(name, channel, quiet=quiet)
        for span in channel.windows:
            open_minutes = _minutes((span,))
            if not open_minutes:
                yield f'channels.{name}.windows: "{span}" is empty; expected an end after the start'
            elif open_minutes <= quiet:
                yield (
                    f'channels.{name}.windows: "{span}" lies wholly in quiet_hours; '
                    "expected a time at which sending is allowed"
                )


def _send_hours_faults(name: str, channel: Channel, *, quiet: set[int]) -> Iterator[str]:
    if channel.send_hours is None:
        return
    place = f"channels.{name}.send_hours"
    for span in channel.send_hours:
        if not _minutes((span,)):
            yield f'{place}: "{span}" is empty; expected an end after the start'
    allowed = _minutes(channel.send_hours) - quiet
    if not allowed:
        yield f"{place}: quiet_hours leave nothing of them; expected a time to send at"
        return
    for span in channel.windows:
        wanted = _minutes((span,)) - quiet
        if wanted and not wanted & allowed:
            yield (
                f'channels.{name}.windows: "{span}" lies wholly outside send_hours; '
                "expected a time at which sending is allowed"
            )


def _unmapped_flags(name: str, channel: Channel, *, known: tuple[str, ...]) -> Iterator[str]:
    # No nearest name here: it would be the consent to another channel.
    for flag in channel.requires:
        if flag not in known:
            yield (
                f'channels.{name}.requires: "{flag}" is not in sources.customers.flags '
                f"({', '.join(known) or 'which is empty'}); map it in [sources.customers.flags], "
                f"take it out of `requires`, or delete [channels.{name}] and its name in "
                "[[stages]].channels"
            )


def _complaint_rules(sections: Sections) -> Iterator[str]:
    caps: Caps | None = sections.get("caps")
    sources = sections.get("sources")
    if caps is None:
        return
    for flag in caps.complaint_flags:
        if sources is not None and flag not in sources.customers.flags:
            known = ", ".join(sources.customers.flags) or "which is empty"
            yield (
                f'caps.complaint_flags: "{flag}" is not in sources.customers.flags ({known}); '
                "map it in [sources.customers.flags], or take it out"
            )
        for name, channel in (sections.get("channels") or {}).items():
            if flag in channel.requires:
                yield (
                    f'caps.complaint_flags: "{flag}" is in channels.{name}.requires too, so that '
                    "nobody can ever be contacted through it; expected it in one of the two"
                )


def _follow_up_rules(sections: Sections) -> Iterator[str]:
    caps: Caps | None = sections.get("caps")
    follow_up: FollowUp | None = sections.get("follow_up")
    if caps is None or follow_up is None or not follow_up.max_steps:
        return
    if follow_up.after_days < caps.min_pause_days:
        yield (
            f"follow_up.after_days: {follow_up.after_days} is less than caps.min_pause_days "
            f"({caps.min_pause_days:g}), so that no follow-up can be carried out when it is due; "
            "expected at least as many days, or max_steps = 0 for no follow-ups"
        )


def _source_rules(sections: Sections) -> Iterator[str]:
    sources = sections.get("sources")
    if sources is None:
        return
    for kind in ("flags", "attributes"):
        for name in getattr(sources.customers, kind):
            if not _NAME.match(name):
                yield (
                    f'sources.customers.{kind}: "{name}" is not valid; expected a lower-case '
                    "letter, then up to 39 lower-case letters, digits or underscores"
                )


def _money_rules(sections: Sections) -> Iterator[str]:
    offers = sections.get("offers")
    if offers is not None and "none" not in offers:
        yield 'offers.none: missing; expected an offer "none" for contacts without one'


def _no_offer_rule(sections: Sections) -> Iterator[str]:
    offers: Mapping[str, Offer] = sections.get("offers") or {}
    none = offers.get("none")
    if none is not None and (none.effect_prior or none.effect_prior_sd):
        yield (
            "offers.none: effect_prior and effect_prior_sd must be 0; without an offer only the "
            "channel has an effect"
        )


def _experiment_rules(sections: Sections) -> Iterator[str]:
    experiment: Experiment | None = sections.get("experiment")
    if experiment is None:
        return
    for name in ("explore_share", "cold_explore_share"):
        drawn = experiment.ghost_share + getattr(experiment, name)
        if drawn >= 1:
            yield f"experiment: ghost_share + {name} is 1 or more; expected less than 1"
        elif experiment.holdout_share + drawn >= 1:
            yield (
                f"experiment: holdout_share + ghost_share + {name} is 1 or more; expected less "
                "than 1, so that someone is left for the best action"
            )
    channels, offers = sections.get("channels"), sections.get("offers")
    stages: tuple[Stage, ...] = sections.get("stages", ())
    if channels is None or offers is None or experiment.exploration == "uniform":
        return
    most = max((len(s.channels or channels) * len(s.offers or offers) for s in stages), default=0)
    if most * experiment.propensity_floor > 1:
        yield (
            f"experiment.propensity_floor: {experiment.propensity_floor:g} for each of up to "
            f"{most} actions is more than 1; expected at most {1 / most:.4f}"
        )


def _storage_rules(sections: Sections) -> Iterator[str]:
    storage = sections.get("storage")
    if storage is not None and "://" in storage.lists:
        yield (
            f'storage.lists: "{storage.lists}" is not valid; expected a local folder, where a '
            "list can appear in one step"
        )


def _training_rules(sections: Sections) -> Iterator[str]:
    plan: TrainingPlan | None = sections.get("training")
    if plan is not None:
        yield from _no_date("training.as_of", plan.as_of)


def _rotation_rules(sections: Sections) -> Iterator[str]:
    experiment: Experiment | None = sections.get("experiment")
    if experiment is not None:
        yield from _no_date("experiment.rotated_on", experiment.rotated_on)


def _no_date(place: str, text: str | None) -> Iterator[str]:
    try:
        date.fromisoformat(text or "2026-11-01")
    except ValueError:
        yield f'{place}: "{text}" is not valid; expected a date such as 2026-11-01'


def _export_rules(sections: Sections) -> Iterator[str]:
    exports: Mapping[str, Export] = sections.get("exports", {})
    channels = sections.get("channels")
    for name, export in exports.items():
        place = f"exports.{name}"
        if channels is not None and name != WHOLE_LIST and name not in channels:
            known = (WHOLE_LIST, *channels)
            yield unknown_name(place, name, known=known, noun='"list" or a channel')
        if export.columns is None:
            continue
        yield from _unknown(
            f"{place}.columns", export.columns, known=list_column_names(), noun="a list column"
        )
        for key in missing_keys(export.columns):
            yield (
                f'{place}.columns: "{key}" is missing; expected it under whatever name, as '
                "contacts are reported back by list_row_id and customer_id"
            )
        yield from _twice(f"{place}.columns", export.columns.values())
    if channels is not None and WHOLE_LIST in channels and WHOLE_LIST in exports:
        yield (
            f'exports.{WHOLE_LIST}: is the whole list and the channel "{WHOLE_LIST}" at once; '
            "expected a channel of another name"
        )


_RULES: tuple[Rule, ...] = (
    _event_rules,
    _stage_rules,
    _stage_references,
    _source_rules,
    _channel_rules,
    _complaint_rules,
    _follow_up_rules,
    _money_rules,
    _experiment_rules,
    _no_offer_rule,
    _storage_rules,
    _training_rules,
    _rotation_rules,
    _export_rules,
    segment_limit_rules,
)


def _stage_place(position: int, stage: Stage) -> str:
    return f"stages[{position}] ({stage.name})"


def _unknown(
    place: str, names: Iterable[str], *, known: tuple[str, ...], noun: str
) -> Iterator[str]:
    for name in names:
        if name not in known:
            yield unknown_name(place, name, known=known, noun=noun)


def _twice(place: str, names: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            yield f'{place}: "{name}" is there twice; expected each name once'
        seen.add(name)


def _minutes(spans: Iterable[Span]) -> set[int]:
    """The minutes of the local day that the spans cover; a span may run past midnight."""
    covered: set[int] = set()
    for span in spans:
        start, end = (at.hour * 60 + at.minute for at in span_times(span))
        length = (end - start) % _DAY_MINUTES
        covered |= {(start + minute) % _DAY_MINUTES for minute in range(length)}
    return covered
