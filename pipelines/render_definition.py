"""The churn definition as terminal text."""

from typing import TYPE_CHECKING

from rich.console import Console

from pipelines.terminal import text_table

if TYPE_CHECKING:
    from pipelines.define import DefinitionReport
    from training.definition import StageDefinition
    from training.definition_curve import ReturnCurve
    from training.definition_lifecycle import Movement, TierMovement
    from training.definition_meaning import Meaning
    from training.definition_personal import PersonalWindows
    from training.definition_window import Opinion

_CURVE_DAYS = 6
"""Points of each curve that fit a terminal."""


def render_definition(report: "DefinitionReport", console: Console) -> None:
    """Windows and what they mean, curves, personal windows, states and movement per stage."""
    found = report.definition
    console.print(
        f"{report.business}, as of {report.as_of} ({report.timezone}): {found.customers:,} "
        f"customers, {report.events:,} events from {report.first_day} to {report.last_day}."
    )
    for note in report.notes:
        console.print(f"  {note}")
    for stage in found.stages:
        _render_stage(stage, found.plan.horizon_days, console)
    for label, customers in found.other_stages:
        console.print(f"{label}: {customers:,} customers; no silence_days, nobody is recalled.")
    if found.without_stage:
        console.print(f"On no stage yet: {found.without_stage:,} customers.")
    if found.tiers is not None:
        _render_tiers(found.tiers, console)
    _render_files(report, console)


def _render_stage(stage: "StageDefinition", horizon: int, console: Console) -> None:
    console.print()
    console.print(
        text_table(
            f"{stage.label} ({stage.name}): {stage.customers:,} customers",
            ["", *(opinion.source for opinion in stage.opinions)],
            _opinion_rows(stage, horizon),
            numeric=1,
        )
    )
    for opinion in stage.opinions:
        if opinion.reason is not None:
            console.print(f"  {opinion.source}: no window. {_sentence(opinion.reason)}")
        elif opinion.source == "return rule":
            console.print(f"  return rule: {_span_text(opinion)}")
    if stage.lost_days is None:
        console.print("  lost: the data do not reach silences after which less than 2 % return.")
    else:
        console.print(f"  lost: after {stage.lost_days:,} silent days less than 2 % return.")
    _render_curves(stage, console)
    if stage.personal is not None:
        _render_personal(stage.personal, stage.reference.source, console)
    states = ", ".join(f"{name} {count:,}" for name, count in stage.states.items())
    console.print(f"States today: {states}.")
    if stage.movement is not None:
        _render_movement("Moved in 28 days", stage.movement, console)


def _opinion_rows(stage: "StageDefinition", horizon: int) -> list[list[str]]:
    """One row per figure, one column per opinion: so it fits every terminal."""
    columns = [
        _meaning_column(opinion, meaning)
        for opinion, meaning in zip(stage.opinions, stage.meanings, strict=True)
    ]
    names = (
        "dormant after, days",
        "silences seen to last that long",
        f"return anyway within {horizon} days",
        "false alarms: return at all",
        "missed: inside, will not return",
        "dormant today",
        "newly dormant per night",
        f"nights to contact all{_capacity_text(stage)}",
        "days of warning before lost",
        f"dormant {horizon} days ago",
        "  of them expected back since",
        "  of them any sign of life since",
        "  of them returned since",
    )
    return [[name, *cells] for name, *cells in zip(names, *columns, strict=True)]


def _meaning_column(opinion: "Opinion", meaning: "Meaning | None") -> list[str]:
    if meaning is None:
        return ["none", *("-" for _ in range(12))]
    rate = _percent(meaning.return_rate)
    if meaning.return_rate_low is not None and meaning.return_rate_high is not None:
        rate += f" [{100 * meaning.return_rate_low:.1f}, {100 * meaning.return_rate_high:.1f}]"
    return [
        _number(opinion.window_days, decimals=0),
        f"{meaning.silences_reached:,}",
        rate,
        _percent(meaning.false_alarm_rate),
        _percent(meaning.missed_rate),
        f"{meaning.dormant:,}",
        _number(meaning.new_per_night),
        "no limit" if meaning.capacity is None else _number(meaning.nights),
        _number(meaning.warning_days, decimals=0),
        _number(meaning.dormant_then, decimals=0),
        _number(meaning.expected_since, decimals=0),
        _number(meaning.woke_since, decimals=0),
        _number(meaning.returned_since, decimals=0),
    ]


def _capacity_text(stage: "StageDefinition") -> str:
    capacities = {one.capacity for one in stage.meanings if one is not None}
    return "".join(f" at {one:,}" for one in capacities if one is not None)


def _span_text(opinion: "Opinion") -> str:
    last = "beyond the data" if opinion.latest_days is None else f"on day {opinion.latest_days}"
    text = f"its 95 % band reaches the limit first on day {opinion.earliest_days}, wholly {last}."
    if opinion.rises_to is not None:
        text += f" After longer silences the chance rises again, to {_percent(opinion.rises_to)}."
    return text


def _render_curves(stage: "StageDefinition", console: Console) -> None:
    longest = max(len(curve.rate) for curve in stage.curves)
    if not longest:
        return
    step = max((longest - 1) // (_CURVE_DAYS - 1), 1)
    days = list(range(0, longest, step))[:_CURVE_DAYS]
    console.print(
        text_table(
            f"Chance of a return within {stage.curves[0].horizon_days} days, by silent days",
            ["customers", "silences", "ended", *(f"{day} d" for day in days)],
            [_curve_row(curve, stage, days) for curve in stage.curves],
            numeric=1,
        )
    )


def _curve_row(curve: "ReturnCurve", stage: "StageDefinition", days: list[int]) -> list[str]:
    points = [curve.at(day) for day in days]
    return [
        group_text(curve.name, stage),
        f"{curve.silences:,}",
        f"{curve.returns:,}",
        *("-" if point is None else _percent(point[0]) for point in points),
    ]


def group_text(name: str, stage: "StageDefinition") -> str:
    """A group's name with the days that bound its cadence."""
    fast, slow = stage.fast_days, stage.slow_days
    if fast is None or slow is None:
        return name
    bounds = {
        "fast": f"fast (gap to {fast:g} d)",
        "medium": f"medium ({fast:g} to {slow:g} d)",
        "slow": f"slow (over {slow:g} d)",
    }
    return bounds.get(name, name)


def _render_personal(personal: "PersonalWindows", source: str, console: Console) -> None:
    spread = ", ".join(f"{name} {days:.0f}" for name, days in personal.quantiles.items())
    console.print(
        f"Personal windows, days ({source} {personal.window_days:g} clipped to a third and three "
        f"times): {spread}. {personal.dormant_earlier:,} customers would be dormant earlier, "
        f"{personal.dormant_later:,} later than by the one window."
    )


def _render_movement(title: str, movement: "Movement", console: Console) -> None:
    rows = [
        [name, *(f"{count:,}" if count else "" for count in counts)]
        for name, counts in movement.rows
        if any(counts)
    ]
    console.print(text_table(title, ["from, to", *movement.names], rows, numeric=1))


def _render_tiers(tiers: "TierMovement", console: Console) -> None:
    console.print()
    _render_movement(
        f"Tiers, moved in 28 days (high: more than {tiers.order_days_above:g} order days in 90, "
        "yearly spend above the quantile)",
        tiers.movement,
        console,
    )
    console.print(
        f"Early warning: {tiers.slid:,} customers slid from high to low frequency; "
        f"{tiers.slid_awake:,} of them are not dormant yet."
    )


def _render_files(report: "DefinitionReport", console: Console) -> None:
    if report.page is not None:
        console.print(f"Page: {report.page}", soft_wrap=True)
    for one in report.written:
        console.print(
            f"winback.toml, {one.stage}: silence_days {one.old_days:g} -> {one.new_days:g} "
            f"({one.opinion})."
        )
    written = {one.stage for one in report.written}
    for stage in report.definition.stages:
        if written and stage.name not in written:
            console.print(f"winback.toml, {stage.name}: left as it is, nothing is proposed.")
    if any(one.old_days != one.new_days for one in report.written):
        console.print("The models were trained for the old windows. Run `winback train` again.")


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def _number(value: float | None, *, decimals: int = 1) -> str:
    return "-" if value is None else f"{value:,.{decimals}f}"
