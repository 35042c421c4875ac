"""Which actions were open to customers whom an imported experiment assigned."""

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.arrow_columns import time_values
from features.history_reader import read_columns
from features.history_sample import customer_hash
from features.local_day import local_midnight_us
from features.warehouse import Warehouse
from pipelines.config import Config
from scoring.eligibility import required_flags
from scoring.reachability import PROFILE_COLUMNS, read_reachability
from training.effect_sample import EffectSample
from training.folds import last_midnight

BoolArray = NDArray[np.bool_]
Int64Array = NDArray[np.int64]

_ASSIGNED = ("customer_id", "assigned_at", "propensities")
_LEFT = ("customer_id", "channel", "arrived_at", "unsubscribed_at")
_NEVER = np.iinfo(np.int64).max


def closed_to_imported(
    sample: EffectSample, rows: Int64Array, config: Config, warehouse: Warehouse
) -> BoolArray:
    """Actions that could not be assigned to the given rows, shape (len(rows), A).

    Where the import says with what probability every action was drawn, those of
    probability 0 or without one were closed. Elsewhere those are whose channel lacks a
    required flag or was unsubscribed from, and all of customers not to be contacted.

    Parameters
    ----------
    rows : positions in `sample`, of imported assignments.
    """
    closed = np.zeros((len(rows), len(sample.actions)), dtype=np.bool_)
    if not len(rows):
        return closed
    names, drawn = _assignments(warehouse)
    channels = list(config.channels)
    channel_of = np.array([channels.index(name.split("/")[0]) for name in sample.actions])
    ids = [names[int(one)] for one in sample.cluster[rows]]
    keys = list(zip(ids, sample.as_of_us[rows].tolist(), strict=True))
    told = np.array([key in drawn for key in keys], dtype=np.bool_)
    for at in np.flatnonzero(told):
        closed[at] = [drawn[keys[at]].get(name, 0.0) <= 0.0 for name in sample.actions]
    asked = np.flatnonzero(~told)
    by_channel = _closed_channels([keys[at] for at in asked], config, warehouse)
    closed[asked] = by_channel[:, channel_of]
    return closed


def _assignments(
    warehouse: Warehouse,
) -> tuple[dict[int, str], dict[tuple[str, int], Mapping[str, float]]]:
    """Imported customers by their hash, and the probabilities told for their assignments."""
    table = warehouse.dataset("assignments").to_table(columns=list(_ASSIGNED))
    names = {customer_hash(name): name for name in pc.unique(table["customer_id"]).to_pylist()}
    told = table.filter(pc.is_valid(table["propensities"]))
    pairs = zip(
        told["customer_id"].to_pylist(),
        time_values(told["assigned_at"]).tolist(),
        told["propensities"].to_pylist(),
        strict=True,
    )
    return names, {(name, at): dict(chances) for name, at, chances in pairs if chances}


def _closed_channels(
    keys: list[tuple[str, int]], config: Config, warehouse: Warehouse
) -> BoolArray:
    """Channels closed to customers at instants, shape (len(keys), n_channels)."""
    closed = np.zeros((len(keys), len(config.channels)), dtype=np.bool_)
    if not keys:
        return closed
    wanted = pa.array(sorted({name for name, _ in keys}))
    profiles = _rows_of(warehouse, "customers", PROFILE_COLUMNS, wanted)
    left_us = _left_channels(_rows_of(warehouse, "contacts", _LEFT, wanted), config)
    zone = ZoneInfo(config.business.timezone)
    flags = required_flags(config.channels)
    at_us = np.array([at for _, at in keys], dtype=np.int64)
    nights, night_of = np.unique(at_us, return_inverse=True)
    # As the features of the row are: those of the last midnight not after the assignment.
    midnights = np.array([local_midnight_us(last_midnight(int(at), zone), zone) for at in nights])
    for midnight in np.unique(midnights):
        rows = np.flatnonzero(midnights[night_of] == midnight)
        names = [keys[row][0] for row in rows]
        distinct = sorted(set(names))
        place = {name: at for at, name in enumerate(distinct)}
        reach = read_reachability(
            profiles, customer_ids=pa.array(distinct), flag_names=flags, as_of_us=int(midnight)
        )
        who = np.array([place[name] for name in names])
        for number, channel in enumerate(config.channels.values()):
            held = [reach.flags[who, flags.index(flag)] for flag in channel.requires]
            shut = reach.do_not_contact[who] | ~np.logical_and.reduce(
                [np.ones(len(rows), dtype=np.bool_), *held]
            )
            gone = [left_us.get((name, number), _NEVER) < midnight for name in names]
            closed[rows, number] = shut | np.array(gone)
    return closed


def _left_channels(contacts: Any, config: Config) -> dict[tuple[str, int], int]:
    """When each customer was first known to have left each channel (us, UTC)."""
    left = contacts.filter(pc.is_valid(contacts["unsubscribed_at"]))
    known = np.maximum(time_values(left["unsubscribed_at"]), time_values(left["arrived_at"]))
    number = {name: at for at, name in enumerate(config.channels)}
    first: dict[tuple[str, int], int] = {}
    for name, channel, at in zip(
        left["customer_id"].to_pylist(), left["channel"].to_pylist(), known.tolist(), strict=True
    ):
        if channel in number:
            key = (name, number[channel])
            first[key] = min(first.get(key, at), at)
    return first


def _rows_of(warehouse: Warehouse, table: str, columns: tuple[str, ...], wanted: Any) -> Any:
    """Some columns of the wanted customers' rows."""
    pieces = []
    for bucket in range(warehouse.n_buckets):
        piece = read_columns(table, warehouse.files(table, bucket=bucket), columns=columns)
        pieces.append(piece.filter(pc.is_in(piece["customer_id"], value_set=wanted)))
    return pa.concat_tables(pieces)
