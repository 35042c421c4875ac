"""What one night came to: the figures behind the report, the manifest and the terminal."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.contact_effect import EVIDENCE
from pipelines.report.judgement import Judgement
from pipelines.report.limit_prices import Allowance, LimitPrice, limit_prices
from pipelines.report.outlook import Outlook, expect_totals
from scoring.arms import ARMS, EXPLORE, GHOST, SENT_ARMS
from scoring.decisions import count_channel_blocks, count_exclusions
from scoring.language import Language
from scoring.night import Night
from scoring.outcomes import NO_ACTION
from scoring.scored import ScoredCustomers
from scoring.segments import Segments, TierMovement, count_segments, tier_movement

_COUNTED = (
    "channel",
    "send_at_local",
    "evidence",
    "follow_up_of",
    "expected_gain",
    "contact_cost",
)
"""Columns of the list that are counted or added up over the contacts to be made."""


@dataclass(frozen=True, slots=True)
class ModelUse:
    """A model that scored the night, until when its training data reached, and how it did."""

    kind: str
    version: str
    digest: str
    trained_until: datetime
    source: str
    judged: Judgement | None = None


@dataclass(frozen=True, slots=True)
class SegmentCounts:
    """All scored customers by life cycle and promotion sensitivity, and movement by tier."""

    life_cycle: Mapping[str, int]
    promotion: Mapping[str, int]
    movement: TierMovement


@dataclass(frozen=True, slots=True)
class NightSummary:
    """Counts of one night; nothing in it depends on when the night was computed.

    Attributes
    ----------
    day : the list's local date.
    as_of : its midnight, UTC.
    horizon_days : days within which a return counts.
    last_event : the latest event visible at the as-of; null if there is none.
    scored, dormant, eligible, listed : numbers of customers.
    by_arm : listed customers per arm.
    by_channel : listed customers per channel and arm.
    by_stage : listed customers per stage.
    by_hour : contacts to be made per channel and hour ("09") of the customers' local day.
    seats : most contacts per channel; null means no limit.
    by_evidence : contacts to be made by what their effect rests on.
    follow_ups : contacts to be made that follow up an earlier one without a return.
    exclusions : scored customers by why they are not listed.
    channel_blocks : per channel, how many it is closed to, by rule.
    expected_gain, contact_cost : sums over the rows really to be sent, money.
    outlook : what these rows are expected to bring, with intervals.
    spend, spend_high : expected spending on contacts and offers, and what it stays below
        with probability `spend_level`; money.
    prices : the night's limits, and what one unit more of each is worth.
    caution : standard errors taken off gains before they compete, in `prices` and `bound` too.
    bound : expected gain that no list within the limits can exceed, what trials and controls
        take left out; zero where there is nothing to gain.
    gap : share of the bound that the list may fall short of it.
    segments : where customers stand, and who moved since a month ago.
    cost_per_return : contacts and what is given away on return, per return that would not
        have come by itself, money; null if none is expected.
    acquisition_cost : what a new customer costs, money: the yardstick.
    exploring_cost : expected gain forgone by actions drawn at random, money.
    drawn_other : explorers whose action is not the one the contact arm takes.
    on_trial : explorers whom the contact arm would not have listed.
    ghost_share, holdout_share : in force that night.
    models : the models used.
    notes : what a reader must know about this list.
    """

    day: date
    as_of: datetime
    list_id: str | None
    business: str
    timezone: str
    currency: str
    language: Language
    config_digest: str
    horizon_days: float
    last_event: datetime | None
    scored: int
    dormant: int
    eligible: int
    listed: int
    by_arm: Mapping[str, int]
    by_channel: Mapping[str, Mapping[str, int]]
    by_stage: Mapping[str, int]
    by_hour: Mapping[str, Mapping[str, int]]
    seats: Mapping[str, int | None]
    by_evidence: Mapping[str, int]
    follow_ups: int
    exclusions: Mapping[str, int]
    channel_blocks: Mapping[str, Mapping[str, int]]
    expected_gain: float
    contact_cost: float
    outlook: Outlook
    spend: float
    spend_high: float
    spend_level: float
    prices: tuple[LimitPrice, ...]
    caution: float
    bound: float
    gap: float
    segments: SegmentCounts
    cost_per_return: float | None
    acquisition_cost: float
    exploring_cost: float
    drawn_other: int
    on_trial: int
    ghost_share: float
    holdout_share: float
    models: tuple[ModelUse, ...]
    notes: tuple[str, ...]

    @property
    def sent(self) -> int:
        """Contacts to be made, controls left out."""
        return sum(self.by_arm[arm] for arm in SENT_ARMS)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; times as ISO 8601 in UTC."""
        document = asdict(self)
        document["day"] = self.day.isoformat()
        document["as_of"] = utc_text(self.as_of)
        document["last_event"] = utc_text(self.last_event)
        for model, use in zip(document["models"], self.models, strict=True):
            model["trained_until"] = utc_text(use.trained_until)
        return document


def utc_text(moment: datetime | None) -> str | None:
    """ISO 8601 with Z, whole seconds."""
    return None if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def instant(moment_us: int) -> datetime:
    """A UTC datetime from microseconds since 1970-01-01."""
    return datetime.fromtimestamp(moment_us / 1e6, tz=UTC)


@dataclass(frozen=True, slots=True)
class Setting:
    """What is known of a night before it is decided."""

    day: date
    as_of_us: int
    business: str
    timezone: str
    currency: str
    language: Language
    gross_margin: float
    horizon_days: float
    allowance: Allowance
    acquisition_cost: float
    config_digest: str
    models: tuple[ModelUse, ...]


def summarise_night(
    scored: ScoredCustomers,
    night: Night,
    table: pa.Table,
    *,
    setting: Setting,
    notes: tuple[str, ...],
) -> NightSummary:
    """Count what was scored, decided and listed.

    Parameters
    ----------
    table : the recall list.
    """
    is_sent = pc.is_in(table["arm"], value_set=pa.array(SENT_ARMS, pa.string()))
    sent = table.select(list(_COUNTED)).filter(is_sent)
    explored = count_explored(night)
    return NightSummary(
        day=setting.day,
        as_of=instant(setting.as_of_us),
        list_id=table["list_id"][0].as_py() if table.num_rows else None,
        business=setting.business,
        timezone=setting.timezone,
        currency=setting.currency,
        language=setting.language,
        config_digest=setting.config_digest,
        horizon_days=setting.horizon_days,
        last_event=instant(scored.last_event_us) if scored.last_event_us else None,
        scored=len(scored),
        dormant=int(scored.dormant.sum()),
        eligible=len(night.eligible),
        listed=table.num_rows,
        by_arm=_counts(table["arm"], ARMS),
        by_channel={
            channel: _counts(table["arm"].filter(pc.equal(table["channel"], channel)), ARMS)
            for channel in night.actions.channels
        },
        by_stage=_counts(table["stage"], tuple(sorted(set(table["stage"].to_pylist())))),
        by_hour={
            channel: _hours(sent.filter(pc.equal(sent["channel"], channel)))
            for channel in night.actions.channels
        },
        seats=setting.allowance.seats,
        by_evidence=_counts(sent["evidence"], EVIDENCE),
        follow_ups=sent.num_rows - sent["follow_up_of"].null_count,
        exclusions=count_exclusions(night),
        channel_blocks=count_channel_blocks(night),
        expected_gain=_total(sent["expected_gain"]),
        contact_cost=_total(sent["contact_cost"]),
        outlook=expect_totals(night, gross_margin=setting.gross_margin, as_of_us=setting.as_of_us),
        spend=round(night.certificate.spent, 2),
        spend_high=round(night.certificate.spent_high, 2),
        spend_level=setting.allowance.limits.budget_quantile,
        prices=limit_prices(night.certificate, setting.allowance, listed=table.num_rows),
        caution=setting.allowance.limits.caution,
        bound=round(night.certificate.bound, 2),
        gap=round(night.certificate.gap, 9),
        segments=_segments(night.segments),
        cost_per_return=_cost_per_return(scored, night),
        acquisition_cost=setting.acquisition_cost,
        exploring_cost=exploring_cost(night),
        drawn_other=explored.drawn_other,
        on_trial=explored.on_trial,
        ghost_share=night.experiment.ghost_share,
        holdout_share=night.experiment.holdout_share,
        models=setting.models,
        notes=notes,
    )


def _segments(segments: Segments) -> SegmentCounts:
    counts = count_segments(segments)
    return SegmentCounts(
        life_cycle=counts["life_cycle"],
        promotion=counts["promotion"],
        movement=tier_movement(segments),
    )


def _cost_per_return(scored: ScoredCustomers, night: Night) -> float | None:
    places = night.listed[night.draws.arm[night.listed] < GHOST]
    action, actions = night.choices.action[places], night.actions
    natural = scored.p_natural[night.eligible[places]]
    contacted = night.effects.contacted()[places, action]
    given = actions.discount[action] * night.order_value[places] + actions.cost_on_return[action]
    returns = float((contacted - natural).sum())
    cost = float((actions.contact_cost[action] + contacted * given).sum())
    return round(cost / returns, 2) if returns > 0 else None


def exploring_cost(night: Night) -> float:
    """Expected gain that the explored customers' best actions would have added, money.

    Both actions pay tonight's prices for the seat and the money that they take: an action may
    gain more for its customer and yet cost more, as others then go without. Customers on
    trial would not have been contacted: nothing would have been gained.
    """
    places = night.listed[night.draws.arm[night.listed] == EXPLORE]
    rows = np.arange(len(places))
    best, drawn = night.choices.best_action[places], night.choices.action[places]
    seat = night.certificate.seat_prices[night.actions.channel_of]
    net = night.gains[places] - night.certificate.budget_price * night.cost[places] - seat
    otherwise = np.where(best == NO_ACTION, 0.0, net[rows, best])
    return round(float((otherwise - net[rows, drawn]).sum()), 2)


@dataclass(frozen=True, slots=True)
class Explored:
    """Explorers by what chance has changed; see `NightSummary`."""

    drawn_other: int
    on_trial: int


def count_explored(night: Night) -> Explored:
    """Rows whose action is not the best one, and those listed on trial; the others got it."""
    places = night.listed[night.draws.arm[night.listed] == EXPLORE]
    best, drawn = night.choices.best_action[places], night.choices.action[places]
    on_trial = best == NO_ACTION
    return Explored(int((~on_trial & (best != drawn)).sum()), int(on_trial.sum()))


def _counts(column: pa.ChunkedArray, names: tuple[str, ...]) -> dict[str, int]:
    found = {entry["values"]: entry["counts"] for entry in pc.value_counts(column).to_pylist()}
    return {name: found.get(name, 0) for name in names}


def _hours(rows: pa.Table) -> dict[str, int]:
    """Rows by the hour of their local send time, such as "09", the earliest first."""
    hours = pc.utf8_slice_codeunits(rows["send_at_local"], 11, 13)
    found = {one["values"]: one["counts"] for one in pc.value_counts(hours).to_pylist()}
    return {hour: found[hour] for hour in sorted(found)}


def _total(column: pa.ChunkedArray) -> float:
    return round(float(np.sum(column.to_numpy())), 2)
