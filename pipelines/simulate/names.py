"""Ids and names behind the numbers in the kernels' columns, as Arrow arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from pipelines.config import Config
from pipelines.simulate.business import Business
from pipelines.simulate.log import NEVER
from pipelines.simulate.population import People

Ints = NDArray[np.signedinteger[Any]]
_DIGITS = 8


@dataclass(frozen=True, slots=True)
class Naming:
    """Names behind the codes in the kernels' columns."""

    event_types: tuple[str, ...]
    categories: tuple[str, ...]
    channels: tuple[str, ...]
    offers: tuple[str, ...]
    zones: tuple[str, ...]
    flags: tuple[str, ...]
    costs: tuple[float, ...]


def naming_of(config: Config, business: Business) -> Naming:
    """The names of a business under a configuration."""
    return Naming(
        event_types=business.event_types,
        categories=business.categories,
        channels=tuple(config.channels),
        offers=tuple(config.offers),
        zones=business.zones,
        flags=tuple(config.sources.customers.flags),
        costs=tuple(channel.cost for channel in config.channels.values()),
    )


def customer_ids(first: int, count: int, *, prefix: str = "c") -> Any:
    """String ids of customers first .. first + count - 1, as an Arrow array."""
    return pa.array([f"{prefix}{number:08d}" for number in range(first, first + count)])


def coded(codes: Ints, names: Sequence[str]) -> Any:
    """Dictionary-coded names; code -1 is null."""
    index = pa.array(codes.astype(np.int32), mask=codes < 0)
    return pa.DictionaryArray.from_arrays(index, pa.array(list(names)))


def ids_of(customer: Ints, people: People, *, guest: NDArray[np.bool_] | None = None) -> Any:
    """The customers' ids, or those they had as guests."""
    index = (customer - people.first).astype(np.int32)
    names = [customer_ids(people.first, len(people))]
    if guest is not None and guest.any():
        names.append(customer_ids(people.first, len(people), prefix="g"))
        index = index + guest.astype(np.int32) * np.int32(len(people))
    return pa.DictionaryArray.from_arrays(pa.array(index), pa.concat_arrays(names))


def numbered(prefix: str, customer: Ints, number: Ints) -> Any:
    """Ids such as o00000012-3; null where the number is negative."""
    ends, text = _spell(ord(prefix), customer.astype(np.int64), number.astype(np.int64))
    known = number >= 0
    bits = None if known.all() else pa.py_buffer(np.packbits(known, bitorder="little"))
    buffers = [bits, pa.py_buffer(ends), pa.py_buffer(text)]
    return pa.Array.from_buffers(pa.string(), len(number), buffers)


@njit(cache=True, nogil=True)
def _spell(
    letter: int, customer: Ints, number: Ints
) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """The bytes of `numbered` ids and where each ends, as Arrow keeps strings."""
    ends = np.zeros(len(number) + 1, dtype=np.int32)
    for row in range(len(number)):
        length, rest = 0, number[row]
        if rest >= 0:
            length = _DIGITS + 3
            while rest >= 10:
                rest //= 10
                length += 1
        ends[row + 1] = ends[row] + length
    text = np.empty(ends[-1], dtype=np.uint8)
    for row in range(len(number)):
        if number[row] < 0:
            continue
        at, owner = ends[row], customer[row]
        text[at] = letter
        for digit in range(_DIGITS):
            text[at + _DIGITS - digit] = 48 + owner % 10
            owner //= 10
        text[at + _DIGITS + 1] = 45  # a dash
        rest, place = number[row], ends[row + 1] - 1
        while place > at + _DIGITS + 1:
            text[place] = 48 + rest % 10
            rest //= 10
            place -= 1
    return ends, text


def seconds(times: Ints, end: int) -> Any:
    """UTC timestamps; null for what has not happened before the end."""
    missing = (times == NEVER) | (times >= end)
    return pa.array(times, mask=missing).cast(pa.timestamp("s", tz="UTC"))


def money(values: NDArray[np.float64]) -> Any:
    """Amounts; NaN is null."""
    return pa.array(values, mask=np.isnan(values))
