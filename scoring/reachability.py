"""What the customer record allows: consent flags, do-not-contact, time zone."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

BoolArray = NDArray[np.bool_]
Int32Array = NDArray[np.int32]
Int64Array = NDArray[np.int64]

PROFILE_COLUMNS = (
    "customer_id",
    "changed_at",
    "arrived_at",
    "timezone",
    "do_not_contact",
    "flags",
)
NO_ZONE = -1


@dataclass(frozen=True, slots=True)
class Reachability:
    """The latest visible record of n customers.

    Attributes
    ----------
    do_not_contact : shape (n,); false where there is no record or no answer.
    flag_names : names of the flags asked for: those that channels require, and complaints.
    flags : shape (n, n_flags); an unknown flag counts as false.
    zones : the IANA zones that occur, sorted.
    zone : shape (n,), code into `zones`; `NO_ZONE` where unknown.
    """

    do_not_contact: BoolArray
    flag_names: tuple[str, ...]
    flags: BoolArray
    zones: tuple[str, ...]
    zone: Int32Array


def read_reachability(
    profiles: pa.Table,
    *,
    customer_ids: pa.Array,
    flag_names: Sequence[str],
    as_of_us: int,
    complaint_flags: Sequence[str] = (),
) -> Reachability:
    """Take each customer's last record version that had arrived before the as-of.

    A version counts when it changed and arrived before the as-of; the last by
    (changed_at, arrived_at) wins. Of versions with equal times the more careful one
    wins: do-not-contact, then the one with more complaints and fewer other flags.

    Parameters
    ----------
    profiles : rows of the customers table with `PROFILE_COLUMNS`, in any order.
    customer_ids : Arrow string array of n distinct customers; rows of others are passed over.
    complaint_flags : those of `flag_names` that speak against a contact when true.
    """
    n_customers = len(customer_ids)
    do_not_contact = np.zeros(n_customers, dtype=np.bool_)
    flags = np.zeros((n_customers, len(flag_names)), dtype=np.bool_)
    zone = np.full(n_customers, NO_ZONE, dtype=np.int32)
    last, row_of = _last_versions(
        profiles,
        customer_ids,
        as_of_us=as_of_us,
        flag_names=flag_names,
        speaks_against=np.array([name in complaint_flags for name in flag_names], np.bool_),
    )
    names = last["timezone"].to_pylist()
    zones = tuple(sorted({name for name in set(names) if name and _is_zone(name)}))
    code = {name: number for number, name in enumerate(zones)}
    zone[row_of] = [code.get(name, NO_ZONE) for name in names]
    do_not_contact[row_of] = _truth(last["do_not_contact"])
    flags[row_of] = _flag_matrix(last["flags"], flag_names)
    return Reachability(
        do_not_contact=do_not_contact,
        flag_names=tuple(flag_names),
        flags=flags,
        zones=zones,
        zone=zone,
    )


def _last_versions(
    profiles: pa.Table,
    customer_ids: pa.Array,
    *,
    as_of_us: int,
    flag_names: Sequence[str],
    speaks_against: BoolArray,
) -> tuple[pa.Table, Int64Array]:
    row_of = pc.index_in(profiles["customer_id"], value_set=customer_ids)
    changed = _micros(profiles["changed_at"])
    arrived = _micros(profiles["arrived_at"])
    known = pc.is_valid(row_of).to_numpy(zero_copy_only=False)
    visible = np.flatnonzero(known & (changed < as_of_us) & (arrived < as_of_us))
    row = row_of.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)[visible]
    seen = profiles.take(pa.array(visible))
    zone_rank = _text_rank(seen["timezone"])
    allows = _flag_matrix(seen["flags"], flag_names) ^ speaks_against
    order = np.lexsort(
        (
            zone_rank,
            *(~allows).T,
            -allows.sum(axis=1),
            _truth(seen["do_not_contact"]),
            arrived[visible],
            changed[visible],
            row,
        )
    )
    row = row[order]
    is_last = np.append(row[1:] != row[:-1], True) if len(row) else np.zeros(0, dtype=np.bool_)
    return seen.take(pa.array(order[is_last])), row[is_last]


def _micros(times: pa.ChunkedArray) -> Int64Array:
    whole: Int64Array = (
        times.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()).to_numpy().astype(np.int64)
    )
    return whole


def _truth(answers: pa.ChunkedArray) -> BoolArray:
    truth: BoolArray = pc.fill_null(answers, False).to_numpy(zero_copy_only=False).astype(np.bool_)
    return truth


def _text_rank(texts: pa.ChunkedArray) -> Int64Array:
    _, rank = np.unique(
        np.array(["" if text is None else text for text in texts.to_pylist()], dtype=object),
        return_inverse=True,
    )
    return rank.astype(np.int64)


def _flag_matrix(column: pa.ChunkedArray, names: Sequence[str]) -> BoolArray:
    """Truth of each named flag per row of a map<string, bool> column."""
    maps = column.combine_chunks()
    matrix = np.zeros((len(maps), len(names)), dtype=np.bool_)
    if not len(maps) or not names:
        return matrix
    if isinstance(maps, pa.ChunkedArray):
        maps = pa.concat_arrays(maps.chunks)
    lengths = np.diff(maps.offsets.to_numpy())
    # The children of a sliced or null-holding map may hold more than its rows own.
    first, after = maps.offsets[0].as_py(), maps.offsets[-1].as_py()
    owner = np.repeat(np.arange(len(maps)), lengths)
    keys = maps.keys.slice(first, after - first)
    is_true = _truth(maps.items.slice(first, after - first))
    for place, name in enumerate(names):
        set_true = pc.equal(keys, name).to_numpy(zero_copy_only=False) & is_true
        matrix[owner[set_true], place] = True
    matrix[~maps.is_valid().to_numpy(zero_copy_only=False)] = False
    return matrix


@lru_cache(maxsize=1024)
def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
