"""Check: attributes in customers' records are those of the time, not today's."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.history import NO_CODE, History, Profiles
from training.leak_audit import BoolArray, Check, Int64Array

Int32Array = NDArray[np.int32]

MIN_DATED = 10
MIN_DATED_SHARE = 0.002
"""Fewest dated versions, and share of the records, that show that a source keeps history."""
_START = 0.01


@dataclass(frozen=True, slots=True)
class RecordVersions:
    """How the records of some customers came about.

    A version is dated if it replaces an earlier one of the customer and begins after
    signup and after the first event: then the source keeps what was before. Ingestion lets
    records without a time of their own hold since signup or 1970; a lone version with a
    time may just as well be a record that was overwritten.

    Attributes
    ----------
    customers : with events.
    records : of them, those with a record.
    dated_us : changed_at of the dated versions, microseconds.
    changed : per attribute, customers of whom two versions differ, shape (n_attributes,).
    later : per attribute, rows of customer and as-of whose value there differs from
        today's, shape (n_attributes,).
    misread : per attribute, rows whose value in the feature matrix is not the one of the
        as-of, shape (n_attributes,).
    """

    customers: int
    records: int
    dated_us: Int64Array
    changed: Int64Array
    later: Int64Array
    misread: Int64Array

    def joined(self, other: "RecordVersions") -> "RecordVersions":
        """Those of other customers added."""
        return RecordVersions(
            self.customers + other.customers,
            self.records + other.records,
            np.concatenate([self.dated_us, other.dated_us]),
            self.changed + other.changed,
            self.later + other.later,
            self.misread + other.misread,
        )

    @property
    def dated_since_us(self) -> int | None:
        """From when on changes are dated; None if records hold current values only.

        The first hundredth of the dated versions is left out, so that a few odd dates do
        not vouch for a source.
        """
        if len(self.dated_us) < max(MIN_DATED, MIN_DATED_SHARE * self.records):
            return None
        return int(np.quantile(self.dated_us, _START))


def count_versions(
    history: History, *, as_ofs: Int64Array, rows: tuple[Int64Array, Int64Array], found: Int32Array
) -> RecordVersions:
    """Count versions of records, and compare the matrix with a lookup written another way.

    Parameters
    ----------
    history : sample of customers.
    as_ofs : of the rows, ascending, microseconds.
    rows : customer (position in `history`) and as-of of each matrix row, shape (n,) each.
    found : the matrix's attribute codes, NO_CODE where missing, shape (n, n_attributes).
    """
    profiles = history.profiles
    owner = np.repeat(np.arange(history.n_customers), np.diff(profiles.offsets))
    dated = _dated(history, owner)
    n_attributes = profiles.attribute.shape[1]
    successive = np.flatnonzero(owner[1:] == owner[:-1])
    differ = profiles.attribute[successive + 1] != profiles.attribute[successive]
    changed = [len(np.unique(owner[successive[differ[:, a]]])) for a in range(n_attributes)]
    today = _values_at(profiles, owner, history.n_customers, int(np.iinfo(np.int64).max))
    later = np.zeros(n_attributes, dtype=np.int64)
    misread = np.zeros(n_attributes, dtype=np.int64)
    customer, as_of = rows
    for instant in as_ofs.tolist():
        at = as_of == instant
        then = _values_at(profiles, owner, history.n_customers, instant)[customer[at]]
        later += np.count_nonzero(then != today[customer[at]], axis=0)
        misread += np.count_nonzero(then != found[at], axis=0)
    return RecordVersions(
        customers=history.n_customers,
        records=len(np.unique(owner)),
        dated_us=profiles.changed_at[dated],
        changed=np.array(changed, dtype=np.int64),
        later=later,
        misread=misread,
    )


def _dated(history: History, owner: Int64Array) -> BoolArray:
    profiles, events = history.profiles, history.events
    first = np.full(history.n_customers, np.iinfo(np.int64).max)
    some = np.diff(events.offsets) > 0
    first[some] = events.occurred_at[events.offsets[:-1][some]]
    replaces = np.zeros(len(owner), dtype=np.bool_)
    replaces[1:] = owner[1:] == owner[:-1]
    changed_at = profiles.changed_at
    return np.asarray(
        replaces
        & (changed_at > 0)
        & (changed_at != profiles.signup_at)
        & (changed_at > first[owner])
    )


def _values_at(profiles: Profiles, owner: Int64Array, n_customers: int, instant: int) -> Int32Array:
    """Each customer's attribute codes at an instant; shape (n_customers, n_attributes)."""
    known = np.flatnonzero((profiles.changed_at < instant) & (profiles.arrived_at < instant))
    keys = (profiles.arrived_at[known], profiles.changed_at[known], owner[known])
    known = known[np.lexsort(keys)]
    values = np.full((n_customers, profiles.attribute.shape[1]), NO_CODE, dtype=np.int32)
    # Written in order, so that a customer's last version stays.
    values[owner[known]] = profiles.attribute[known]
    return values


def sum_versions(parts: Sequence[RecordVersions]) -> RecordVersions:
    """The versions of several samples together; there must be one at least."""
    total = parts[0]
    for part in parts[1:]:
        total = total.joined(part)
    return total


def check_versions(versions: RecordVersions, attributes: tuple[str, ...]) -> Check:
    """The matrix holds the attributes of the as-of, not later ones."""
    figures: dict[str, float | int | str] = {
        "customers": versions.customers,
        "records": versions.records,
        "dated_versions": len(versions.dated_us),
    }
    if not attributes or versions.records == 0:
        return Check(
            "record_versions",
            None,
            "not checked",
            "No customer attribute is a feature." if not attributes else "No customer records.",
            figures=figures,
        )
    for a, name in enumerate(attributes):
        figures[f"changed.{name}"] = int(versions.changed[a])
        figures[f"later_change_rows.{name}"] = int(versions.later[a])
    wrong = tuple(name for a, name in enumerate(attributes) if versions.misread[a])
    if wrong:
        return Check(
            "record_versions",
            None,
            "failed",
            f"{int(versions.misread.sum()):,} values of {len(wrong)} attributes "
            f"({', '.join(wrong)}) are not those of the as-of.",
            fix="a feature must read the last record version that changed and arrived before the "
            "as-of: correct the code that fills these columns, then train again",
            named=wrong,
            figures=figures,
        )
    return Check(
        "record_versions",
        None,
        "passed",
        f"{int(versions.later.sum()):,} attribute values changed after an audited date, and the "
        "features hold the earlier one each time.",
        figures=figures,
    )
