"""Which channels may be used when, for every zone that customers live in."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from features.active_hours import ActiveHours
from scoring.policy import Channel
from scoring.reachability import NO_ZONE, Reachability
from scoring.timing import ChannelDay, ListDay, find_channel_day

BoolArray = NDArray[np.bool_]

UNKNOWN_ZONE = ""
"""Stands for the zone of customers of whom none is known."""

PLAUSIBLE_SHARE = 0.01
"""Zones of at least so many of the customers with a known one may be anybody's."""

SendWindows = Mapping[tuple[str, str], ChannelDay | None]
"""By (zone, channel name); null where no minute is allowed."""


def find_send_windows(
    reach: Reachability,
    channels: Mapping[str, Channel],
    *,
    zone: str,
    list_day: ListDay,
    active: ActiveHours | None,
) -> dict[tuple[str, str], ChannelDay | None]:
    """The allowed times of every channel in every zone that occurs.

    Customers without a known zone get only times that are allowed in every plausible one:
    the business's, and those of at least `PLAUSIBLE_SHARE` of the customers with a known zone.

    Parameters
    ----------
    reach : of the customers to be reached.
    zone : the business's.
    active : counts the known zones of all customers; null means those of `reach`.
    """
    places: dict[str, tuple[str, ...]] = {
        reach.zones[code]: (reach.zones[code],) for code in np.unique(reach.zone) if code != NO_ZONE
    }
    if (reach.zone == NO_ZONE).any():
        counts = _zone_counts(reach) if active is None else dict(active.zones)
        places[UNKNOWN_ZONE] = plausible_zones(counts, default=zone)
    return {
        (place, name): find_channel_day(channel, zones=zones, list_day=list_day)
        for place, zones in sorted(places.items())
        for name, channel in channels.items()
    }


def plausible_zones(counts: Mapping[str, int], *, default: str) -> tuple[str, ...]:
    """Zones a customer of unknown zone may live in, the business's first."""
    total = sum(counts.values())
    common = (name for name, customers in counts.items() if customers >= PLAUSIBLE_SHARE * total)
    return tuple(dict.fromkeys((default, *sorted(common))))


def has_send_window(
    reach: Reachability, channels: Mapping[str, Channel], windows: SendWindows
) -> BoolArray:
    """Whether each channel has an allowed time for each customer; shape (n, n_channels)."""
    # The last row serves NO_ZONE = -1.
    table = np.array(
        [
            [windows.get((place, name)) is not None for name in channels]
            for place in (*reach.zones, UNKNOWN_ZONE)
        ],
        dtype=np.bool_,
    ).reshape(len(reach.zones) + 1, len(channels))
    found: BoolArray = table[reach.zone]
    return found


def seats_tonight(channels: Mapping[str, Channel], windows: SendWindows) -> list[int | None]:
    """Contacts of each channel that hourly seats leave room for; null without such a limit.

    Counts each hour once in which some customer may be reached.
    """
    seats: list[int | None] = [None] * len(channels)
    for code, (name, channel) in enumerate(channels.items()):
        if channel.seats_per_hour is not None:
            days = [day for (_, other), day in windows.items() if other == name and day is not None]
            hours = {int(hour) for day in days for hour in day.hours.seat_hour}
            seats[code] = channel.seats_per_hour * len(hours)
    return seats


def _zone_counts(reach: Reachability) -> dict[str, int]:
    known = reach.zone[reach.zone != NO_ZONE]
    counts = np.bincount(known, minlength=len(reach.zones)).tolist()
    return dict(zip(reach.zones, counts, strict=True))
