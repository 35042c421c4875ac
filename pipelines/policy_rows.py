"""The matured assignments that policies are judged on, and what policies may know of each."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
from numpy.typing import NDArray
from scipy.special import expit

from features.history_sample import customer_hash
from features.local_day import local_midnight_us
from features.warehouse import Warehouse
from models.effect_features import plain_values
from pipelines.config import Config
from pipelines.policy_reach import closed_to_imported
from scoring.decisions import TABLE_NAME as DECISIONS
from scoring.eligibility import stage_offers
from training.assignment_log import CONTACTED_ARMS, GHOST_ARM
from training.assignment_rows import EffectRows
from training.effect_sample import NO_CONTACT, EffectSample
from training.folds import last_midnight

BoolArray = NDArray[np.bool_]
Int16Array = NDArray[np.int16]

NOT_LISTED = -2
"""Stands for the recommendation where no list's is known."""

_NIGHT_TYPES = {
    "as_of": pa.string(),
    "customer_id": pa.string(),
    "channel_blocks": pa.string(),
    "best_gain": pa.float64(),
}
_RECOMMENDED = "recommended_action"


@dataclass(frozen=True, slots=True)
class PolicyRows:
    """n assignments with what a policy may decide by.

    No feature is later than the assignment. The natural return is what today's champions give
    for these features; their training may have seen what came of the assignments. It decides
    only where a rule asks for it, and serves the outcome model, whose errors logged
    propensities make up for.

    Attributes
    ----------
    sample : the assignments with their outcomes.
    columns : by name, what rules may read, each of shape (n,).
    closed : actions that were not open to the customer, shape (n, A).
    recommended : the action the night's list recommended, `NO_CONTACT` for those it listed
        on trial, `NOT_LISTED` for imported rows and for nights of versions that did not log
        it, shape (n,).
    gain : what the night expected of the customer's best action, money, NaN where
        `recommended` is `NOT_LISTED`, shape (n,).
    day : local date of each assignment, shape (n,).
    """

    sample: EffectSample
    columns: dict[str, NDArray[Any]]
    closed: BoolArray
    recommended: Int16Array
    gain: NDArray[np.float64]
    day: NDArray[Any]

    def __len__(self) -> int:
        return len(self.sample)

    def take(self, rows: BoolArray) -> "PolicyRows":
        """The chosen rows."""
        return PolicyRows(
            self.sample.take(rows),
            {name: values[rows] for name, values in self.columns.items()},
            self.closed[rows],
            self.recommended[rows],
            self.gain[rows],
            self.day[rows],
        )

    def without_closed(self, action: Int16Array) -> Int16Array:
        """The actions, with no contact where the channel was closed to the customer."""
        contacted = np.flatnonzero(action != NO_CONTACT)
        shut = contacted[self.closed[contacted, action[contacted]]]
        kept = action.copy()
        kept[shut] = NO_CONTACT
        return kept


def join_nights(rows: EffectRows, config: Config, warehouse: Warehouse) -> PolicyRows:
    """Put beside each row what its night had decided.

    Parameters
    ----------
    rows : matured assignments, of lists and of experiments.
    """
    sample, timezone = rows.sample, ZoneInfo(config.business.timezone)
    nights, place = _nights(sample, warehouse, timezone)
    blocks = nights["channel_blocks"].to_pylist()
    names, gains = nights[_RECOMMENDED].to_pylist(), nights["best_gain"].to_pylist()
    code = {"none": NO_CONTACT, **{name: at for at, name in enumerate(sample.actions)}}
    closed = np.zeros((len(sample), len(sample.actions)), dtype=np.bool_)
    recommended = np.full(len(sample), NOT_LISTED, dtype=np.int16)
    gain = np.full(len(sample), np.nan)
    offered = stage_offers(config.stages, config.offers)[rows.stage]
    listed = np.flatnonzero(place >= 0)
    for row in listed:
        shut = {part.split("=")[0] for part in (blocks[place[row]] or "").split("; ") if part}
        closed[row] = [name.split("/")[0] in shut for name in sample.actions]
        if names[place[row]] in code:
            recommended[row] = code[names[place[row]]]
            gain[row] = gains[place[row]]
    # Actions of a channel stand together, one per offer.
    closed[listed] |= np.tile(~offered[listed], len(config.channels))
    imported = np.flatnonzero(place < 0)
    closed[imported] = closed_to_imported(sample, imported, config, warehouse)
    stages = np.array([stage.name for stage in config.stages], dtype=object)
    instants, which = np.unique(sample.as_of_us, return_inverse=True)
    days = np.array([last_midnight(int(at), timezone) for at in instants], dtype=object)
    return PolicyRows(
        sample=sample,
        columns={
            "silence_days": rows.silence_days,
            "stage": stages[rows.stage],
            "p_return_natural": expit(sample.log_odds0),
            "order_value": sample.order_value,
            **plain_values(sample.x, sample.feature_names),
        },
        closed=closed,
        recommended=recommended,
        gain=gain,
        day=days[which],
    )


def outcome_known_on(day: date, config: Config) -> date:
    """Local date by whose midnight the outcomes of a day's assignments are over."""
    reach = config.windows.gap_days + config.windows.horizon_days
    return day + timedelta(days=int(np.ceil(reach)))


def _nights(
    sample: EffectSample, warehouse: Warehouse, timezone: ZoneInfo
) -> tuple[Any, NDArray[np.int64]]:
    """Decisions about the listed, and the place of each row among them, -1 for none."""
    place = np.full(len(sample), -1, dtype=np.int64)
    if not warehouse.has_table(DECISIONS):
        types = {**_NIGHT_TYPES, _RECOMMENDED: pa.string()}
        return pa.schema(types).empty_table(), place
    dataset = warehouse.dataset(DECISIONS)
    known = _RECOMMENDED in dataset.schema.names
    arms = pa.array([GHOST_ARM, *CONTACTED_ARMS], pa.string())
    nights = dataset.to_table(
        columns=[*_NIGHT_TYPES, *([_RECOMMENDED] if known else [])],
        filter=pc.is_in(pads.field("arm"), value_set=arms),
    )
    if not known:
        nights = nights.append_column(_RECOMMENDED, pa.nulls(nights.num_rows, pa.string()))
    days = {
        day: local_midnight_us(date.fromisoformat(day), timezone)
        for day in pc.unique(nights["as_of"]).to_pylist()
    }
    keys = zip(nights["customer_id"].to_pylist(), nights["as_of"].to_pylist(), strict=True)
    found = {(customer_hash(name), days[day]): at for at, (name, day) in enumerate(keys)}
    rows = zip(sample.cluster.tolist(), sample.as_of_us.tolist(), strict=True)
    place[:] = [found.get(key, -1) for key in rows]
    return nights, place
