"""Offers of contacts in histories: their codes, and that features do not see them."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from feature_tables import AS_OFS, SPEC, arrow_table, microseconds, random_tables

from features.history import NO_CODE, OTHER_OFFER, History
from features.history_reader import history_from_tables
from features.matrix import build_matrix

OFFERS = ("none", "coupon", "voucher")


def with_offers(contacts: pd.DataFrame, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    names = np.array([None, *OFFERS, "long_gone"], dtype=object)
    return contacts.assign(offer=names[rng.integers(0, len(names), size=len(contacts))])


def history(tables: Any, contacts: pd.DataFrame, **options: Any) -> History:
    return history_from_tables(
        0,
        spec=SPEC,
        events=arrow_table(tables.events),
        contacts=arrow_table(contacts),
        profiles=arrow_table(tables.profiles),
        **options,
    )


def test_offers_have_the_codes_of_the_names_given() -> None:
    tables = random_tables(3)
    contacts = with_offers(tables.contacts, 3)
    read = history(tables, contacts, offers=OFFERS)
    known = contacts[contacts["customer_id"].isin(read.customer_id)]
    codes = known["offer"].map(lambda name: OFFERS.index(name) if name in OFFERS else OTHER_OFFER)
    codes = codes.where(known["offer"].notna(), NO_CODE)
    assert sorted(read.contacts.offer.tolist()) == sorted(codes.tolist())
    by_arrival = dict(zip(known["arrived_at"].astype("int64"), codes, strict=True))
    if len(by_arrival) == len(known):
        for arrived, code in zip(read.contacts.arrived_at, read.contacts.offer, strict=True):
            assert by_arrival[arrived] == code


def test_without_names_no_offer_is_read() -> None:
    tables = random_tables(4)
    read = history(tables, with_offers(tables.contacts, 4))
    assert set(read.contacts.offer.tolist()) == {NO_CODE}


@pytest.mark.parametrize("seed", range(3))
def test_features_do_not_depend_on_offers(seed: int) -> None:
    tables = random_tables(seed)
    contacts = pd.concat([with_offers(tables.contacts, seed), with_offers(tables.contacts, 9)])
    as_ofs = microseconds(AS_OFS)
    without, with_them = (
        build_matrix(history(tables, contacts, offers=offers), spec=SPEC, as_ofs=as_ofs)
        for offers in ((), OFFERS)
    )
    assert without.values.tobytes() == with_them.values.tobytes()
