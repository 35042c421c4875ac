"""Occasions and contacts of customers by local hour: the walks over events and contacts."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.kernels.engagement import ContactColumns
from features.kernels.feature import DAY_US
from features.kernels.series import EventColumns
from features.zone_offsets import ZoneOffsets

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]
Int32Array = NDArray[np.int32]
Int64Array = NDArray[np.int64]

HOUR_US = 3_600_000_000
HOURS = 24
DAYS = 7

HALF_LIFE_DAYS = 90
"""Activity counts half of what activity so many days later does; METHODS section 3.4."""

MAX_AGE_DAYS = 12 * HALF_LIFE_DAYS
"""Older activity would weigh less than 1/4000 and is not looked at."""

ORDER_WEIGHT = 2.0
"""An hour with an order tells more of when a customer buys than one with a visit."""

TRIGGERED_US = 2 * HOUR_US
"""Activity so soon after a contact was sent, clicked or opened is its doing, not the
customer's own hour: without this, sends at 10:00 would prove 10:00 right."""


class HourGrid(NamedTuple):
    """Exposures and answers of contacts by channel and the local hour of sending.

    Each float64 of shape (n_channels, 24), decayed as activity is.
    """

    sends: Float64Array
    clicks: Float64Array
    opens: Float64Array


class HourWindow(NamedTuple):
    """From when on activity counts, and how much."""

    as_of: int
    day_weight: Float32Array
    type_weight: Float32Array


@njit(nogil=True, cache=True, error_model="numpy")
def count_occasions(
    window: HourWindow,
    events: EventColumns,
    contacts: ContactColumns,
    table: ZoneOffsets,
    people: tuple[Int32Array, Int32Array],
    out: tuple[Float32Array, Float64Array, Float32Array],
) -> None:
    """Fill hours (n, 24) and add to the week (7, 24); fill days (n, 7, 24) unless empty."""
    customer, zone = people
    hours, week, days = out
    as_of, oldest = window.as_of, window.as_of - MAX_AGE_DAYS * DAY_US
    moments = np.empty(16, dtype=np.int64)
    for row in range(len(customer)):
        i = customer[row]
        end = contacts.offsets[i + 1]
        if 3 * (end - contacts.offsets[i]) > len(moments):
            moments = np.empty(6 * (end - contacts.offsets[i]), dtype=np.int64)
        n_moments = _list_moments(as_of, contacts, contacts.offsets[i], end, moments)
        moment = 0
        change, last_change = table.starts[zone[row]], table.starts[zone[row] + 1] - 1
        last_hour, counted = np.int64(-1), np.float32(0.0)
        total, squares = 0.0, 0.0
        for e in range(events.offsets[i], events.offsets[i + 1]):
            at = events.occurred_at[e]
            if at >= as_of:
                break
            if at < oldest or events.arrived_at[e] >= as_of:
                continue
            weight = window.type_weight[events.event_type[e]]
            if weight == 0.0:
                continue
            while moment < n_moments and moments[moment] + TRIGGERED_US <= at:
                moment += 1
            if moment < n_moments and moments[moment] <= at:
                continue
            while change < last_change and table.from_us[change + 1] <= at:
                change += 1
            hour = (at + table.offset_us[change]) // HOUR_US
            weight *= window.day_weight[(as_of - at) // DAY_US]
            if hour != last_hour:
                last_hour, counted = hour, np.float32(0.0)
            elif weight <= counted:
                continue
            # While the same occasion goes on, an order in it raises what it counts.
            value = weight - counted
            total += value
            squares += weight * weight - counted * counted
            counted = weight
            hours[row, hour % HOURS] += value
            day = (hour // HOURS + 3) % DAYS
            week[day, hour % HOURS] += value
            if len(days) > 0:
                days[row, day, hour % HOURS] += value
        if squares > 0.0:
            scale = np.float32(total / squares)
            hours[row] *= scale
            if len(days) > 0:
                days[row] *= scale


@njit(nogil=True, cache=True, error_model="numpy")
def _list_moments(
    as_of: int, contacts: ContactColumns, start: int, end: int, moments: Int64Array
) -> int:
    """When visible contacts of one customer were sent, clicked and opened, in time order."""
    n_moments = 0
    version = -1
    for c in range(start, end):
        if contacts.arrived_at[c] < as_of and contacts.sent_at[c] < as_of:
            version = c
        last = c + 1 == end or contacts.contact[c + 1] != contacts.contact[c]
        if last and version >= 0:
            for moment in (
                contacts.sent_at[version],
                contacts.clicked_at[version],
                contacts.opened_at[version],
            ):
                if moment < as_of:
                    place = n_moments
                    while place > 0 and moments[place - 1] > moment:
                        moments[place] = moments[place - 1]
                        place -= 1
                    moments[place] = moment
                    n_moments += 1
        if last:
            version = -1
    return n_moments


@njit(nogil=True, cache=True, error_model="numpy")
def add_contacts(
    window: HourWindow,
    contacts: ContactColumns,
    table: ZoneOffsets,
    people: tuple[Int32Array, Int32Array],
    grid: HourGrid,
) -> None:
    customer, zone = people
    as_of, oldest = window.as_of, window.as_of - MAX_AGE_DAYS * DAY_US
    for row in range(len(customer)):
        i = customer[row]
        end = contacts.offsets[i + 1]
        version = -1
        for c in range(contacts.offsets[i], end):
            if contacts.arrived_at[c] < as_of and contacts.sent_at[c] < as_of:
                version = c
            last = c + 1 == end or contacts.contact[c + 1] != contacts.contact[c]
            if not last:
                continue
            if version >= 0 and contacts.channel[version] >= 0:
                at = contacts.sent_at[version]
                if at >= oldest:
                    change = table.starts[zone[row]]
                    while (
                        change + 1 < table.starts[zone[row] + 1] and table.from_us[change + 1] <= at
                    ):
                        change += 1
                    hour = (at + table.offset_us[change]) // HOUR_US % HOURS
                    channel = contacts.channel[version]
                    value = window.day_weight[(as_of - at) // DAY_US]
                    grid.sends[channel, hour] += value
                    if contacts.clicked_at[version] < as_of:
                        grid.clicks[channel, hour] += value
                    if contacts.opened_at[version] < as_of:
                        grid.opens[channel, hour] += value
            version = -1


def day_weights() -> Float32Array:
    """Weight of activity by its age in whole days."""
    ages = np.arange(MAX_AGE_DAYS + 1, dtype=np.float64)
    weights: Float32Array = (2.0 ** (-ages / HALF_LIFE_DAYS)).astype(np.float32)
    return weights
