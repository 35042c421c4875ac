"""How customers came to their discounts: alone, or after an offer had been sent to them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.arrow_columns import encoded, positions_in, time_values, translated, words_of
from features.history import NO_CODE, NO_TIME, Contacts, frozen
from features.history_reader import read_columns
from features.kernels.feature import DAY_US
from features.kernels.series import Series
from features.warehouse import Warehouse

Int16Array = NDArray[np.int16]
Int64Array = NDArray[np.int64]

HABIT_DAYS = 730
"""What is older says little about today's habits."""

OFFER_DAYS = 14
"""So many days an offer is behind a discount."""


@dataclass(frozen=True, slots=True)
class CouponHistory:
    """Orders by how their discount came about; each of shape (n_rows,), int16.

    Attributes
    ----------
    plain : orders without a discount.
    alone : discounted orders with no offer sent in the days before.
    prompted : discounted orders with one.
    offers : contacts with an offer.
    """

    plain: Int16Array
    alone: Int16Array
    prompted: Int16Array
    offers: Int16Array

    @classmethod
    def empty(cls, n_rows: int) -> "CouponHistory":
        """Of customers who never ordered and were never sent an offer."""
        return cls(*(np.zeros(n_rows, dtype=np.int16) for _ in range(4)))

    @property
    def orders(self) -> NDArray[np.int32]:
        """All of them; shape (n_rows,)."""
        return self.plain.astype(np.int32) + self.alone + self.prompted


@dataclass(frozen=True, slots=True)
class OfferWindow:
    """Which orders and offers count.

    Attributes
    ----------
    no_offer : code of the offer "none" among those the history was read with, NO_CODE if it
        is not among them.
    orders_from_us : earliest order that counts, as it can be told what was sent before it.
    days : as `OFFER_DAYS`.
    """

    no_offer: int
    orders_from_us: int
    days: int = OFFER_DAYS


NO_OFFERS_KNOWN = OfferWindow(no_offer=NO_CODE, orders_from_us=NO_TIME)
"""Where no offer was ever sent, no order tells whether its discount was found alone."""


def find_offer_window(
    warehouse: Warehouse,
    offers: tuple[str, ...],
    *,
    as_of_us: int,
    no_offer: str,
    versions: Mapping[str, int] | None = None,
) -> OfferWindow:
    """Which orders and offers count at an as-of.

    Orders count from `OFFER_DAYS` after the first offer that was sent and had arrived
    before the as-of, whoever got it: nobody knows whether a discount taken earlier was
    found alone.

    Parameters
    ----------
    warehouse : an open warehouse.
    offers : configured names, in the order histories are read with.
    as_of_us : microseconds since 1970-01-01 UTC.
    no_offer : name of the offer that is none.
    versions : Delta version of the table; null means now.
    """
    version = None if versions is None else versions.get("contacts")
    first = NO_TIME
    for file in warehouse.files("contacts", version=version):
        table = read_columns(
            "contacts", [file], columns=("sent_at", "arrived_at", "offer"), words=("offer",)
        )
        sent_at, arrived_at = (time_values(table.column(n)) for n in ("sent_at", "arrived_at"))
        offer = encoded(table.column("offer"))
        real = positions_in(words_of(offer), (no_offer,)) == NO_CODE
        named = translated(offer, real.astype(np.int32)) == 1
        seen = named & (arrived_at < as_of_us) & (sent_at < as_of_us)
        first = int(sent_at.min(where=seen, initial=first))
    return OfferWindow(
        no_offer=offers.index(no_offer) if no_offer in offers else NO_CODE,
        orders_from_us=NO_TIME if first == NO_TIME else first + OFFER_DAYS * DAY_US,
    )


def offer_contacts(
    contacts: Contacts, *, as_of_us: int, no_offer: int
) -> tuple[Int64Array, Int64Array]:
    """When each customer was sent offers: offsets (n_customers + 1,), and times, ascending.

    A contact counts if it was sent and had arrived before the as-of, by its version that
    arrived last; one that names no offer, or the offer "none", does not.
    """
    offsets = np.zeros(len(contacts.offsets), dtype=np.int64)
    sent_at = np.empty(len(contacts.sent_at), dtype=np.int64)
    _gather_offers(
        as_of_us,
        no_offer,
        (frozen(contacts.offsets), frozen(contacts.contact), frozen(contacts.offer)),
        (frozen(contacts.arrived_at), frozen(contacts.sent_at)),
        (offsets, sent_at),
    )
    return offsets, sent_at[: offsets[-1]]


@njit(nogil=True, cache=True, error_model="numpy")
def _gather_offers(
    as_of: int,
    no_offer: int,
    rows: tuple[Int64Array, Int64Array, Int16Array],
    times: tuple[Int64Array, Int64Array],
    out: tuple[Int64Array, Int64Array],
) -> None:
    offsets, contact, offer = rows
    arrived_at, sent_at = times
    offsets_out, sent_out = out
    found = 0
    for i in range(len(offsets) - 1):
        first, version = found, -1
        for c in range(offsets[i], offsets[i + 1]):
            if arrived_at[c] < as_of and sent_at[c] < as_of:
                version = c
            if c + 1 < offsets[i + 1] and contact[c + 1] == contact[c]:
                continue
            if version >= 0 and offer[version] != NO_CODE and offer[version] != no_offer:
                # Few per customer: each is put into its place among those before it.
                place = found
                while place > first and sent_out[place - 1] > sent_at[version]:
                    sent_out[place] = sent_out[place - 1]
                    place -= 1
                sent_out[place] = sent_at[version]
                found += 1
            version = -1
        offsets_out[i + 1] = found


@njit(nogil=True, cache=True, error_model="numpy")
def fill_coupons(
    chunk: tuple[int, int],
    series: Series,
    offers: tuple[Int64Array, Int64Array],
    window: tuple[int, int, int],
    out: tuple[Int64Array, Int16Array, Int16Array, Int16Array, Int16Array],
) -> None:
    """Count orders and offers of customers chunk[0]:chunk[1].

    Parameters
    ----------
    chunk : customers that the series is of.
    offers : as `offer_contacts` gives them.
    window : as-of (us), first order that counts (us), days an offer is behind a discount.
    out : the customers' places, -1 for none; then plain, alone, prompted and offers.
    """
    offsets, sent_at = offers
    as_of, orders_from, days = window
    rows, plain_out, alone_out, prompted_out, offers_out = out
    oldest = as_of - HABIT_DAYS * DAY_US
    for i in range(chunk[1] - chunk[0]):
        row = rows[i]
        if row < 0:
            continue
        first, end = offsets[chunk[0] + i], offsets[chunk[0] + i + 1]
        sent = first
        for order in range(series.order_offsets[i], series.order_offsets[i + 1]):
            # Ages are exact to far less than a microsecond: rounding gives the time back.
            at = as_of - np.int64(np.rint(series.order_age[order] * DAY_US))
            if at < max(oldest, orders_from):
                continue
            if not series.order_discount[order] > 0.0:
                plain_out[row] += 1
                continue
            while sent < end and sent_at[sent] < at - days * DAY_US:
                sent += 1
            if sent < end and sent_at[sent] < at:
                prompted_out[row] += 1
            else:
                alone_out[row] += 1
        for contact in range(first, end):
            offers_out[row] += sent_at[contact] >= oldest
