"""The list's columns of time: when each row is sent, on whose clock, and until when it is good."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from scoring.reachability import Reachability
from scoring.send_times import SEND_BASES, SendTimes
from scoring.timing import MINUTE_US, first_minute_us, offset_minutes

Int64Array = NDArray[np.int64]


def time_columns(
    times: SendTimes, zones: Sequence[str], *, day: date, expiry_us: int
) -> dict[str, Any]:
    """Send times, their basis and expiry of listed customers; null for controls.

    Parameters
    ----------
    times : of r rows.
    zones : r IANA zones, on whose clocks local times are told.
    day : the list's local date.
    expiry_us : when rows expire; in a zone behind the business's the window can lie past it,
        and the row is good until the window's end.
    """
    sent = times.seated
    basis = np.array(SEND_BASES, dtype=object)[times.basis]
    return {
        "send_at_utc": pa.array(times.send_at_us, mask=~sent),
        "send_at_local": pa.array(
            local_texts(times.send_at_us, zones, sent=sent, day=day), pa.string(), mask=~sent
        ),
        "send_window_end_utc": pa.array(times.end_us, mask=~sent),
        "send_basis": pa.array(basis, pa.string(), mask=~sent),
        "expires_at": np.where(sent, np.maximum(times.end_us, expiry_us), expiry_us),
    }


def row_zones(reach: Reachability, rows: Int64Array, *, default: str) -> list[str]:
    """IANA zone on whose clock each row is told: the customer's own, else the business's."""
    names = [*reach.zones, default]
    return [names[code] for code in reach.zone[rows]]


def local_texts(
    moment_us: Int64Array, zones: Sequence[str], *, sent: NDArray[np.bool_], day: date
) -> NDArray[np.object_]:
    """ISO 8601 local times with offset, as "2026-03-29T19:05:00+02:00"; shape (r,)."""
    texts = np.full(len(moment_us), "", dtype=object)
    names, zone = np.unique(np.array(zones, dtype=object).astype(str), return_inverse=True)
    offset = np.zeros(len(moment_us), dtype=np.int64)
    rows = np.flatnonzero(sent)
    minute = (moment_us[rows] - first_minute_us(day)) // MINUTE_US
    for code, name in enumerate(names.tolist()):
        mine = zone[rows] == code
        offset[rows[mine]] = offset_minutes(name, day)[minute[mine]]
    local = (moment_us[rows] + offset[rows] * MINUTE_US).astype("datetime64[us]")
    wall = np.datetime_as_string(local, unit="s").astype(object)
    shifts, shift = np.unique(offset[rows], return_inverse=True)
    suffix = np.array([_offset_text(minutes) for minutes in shifts.tolist()], dtype=object)
    texts[rows] = wall + suffix[shift]
    return texts


def _offset_text(minutes: int) -> str:
    sign = "-" if minutes < 0 else "+"
    return f"{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
