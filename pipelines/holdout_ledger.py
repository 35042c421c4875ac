"""The holdout ledger: who has been held out since when, so that nobody slips out unseen."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.contract import HOLDOUT_LEDGER, TIME
from features.warehouse import Warehouse
from scoring.holdout import SaltPeriod, holdout_members, salt_in_force
from scoring.night_policy import NightPolicy
from scoring.policy import Experiment
from scoring.scored import ScoredCustomers

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Holdout:
    """The holdout of one night.

    Attributes
    ----------
    experiment : with the salt in force; its holdout_share is the configured one.
    ledger : rows of the ledger as it was before the night.
    """

    experiment: Experiment
    ledger: pa.Table

    def share(self, day: date) -> float:
        """The largest share drawn under the salt until the day: of the joint propensity.

        Exact for customers who have been scored since that share was in force; for those
        who came after it was lowered it is a little too large.
        """
        known = self._entries(day)["holdout_share"]
        return float(max([self.experiment.holdout_share, *known.unique().to_pylist()]))

    def members(self, scored: ScoredCustomers, day: date) -> BoolArray:
        """Which of the scored customers are held out, shape (n,)."""
        recorded = pc.is_in(scored.customer_id, value_set=self._entries(day)["customer_id"])
        return holdout_members(
            scored.customer_id.to_pylist(),
            experiment=self.experiment,
            recorded=np.asarray(recorded.to_numpy(zero_copy_only=False), dtype=np.bool_),
        )

    def _entries(self, day: date) -> pa.Table:
        under = pc.equal(self.ledger["salt"], self.experiment.salt)
        entered = pc.less_equal(self.ledger["entered_on"], pa.scalar(day, pa.date32()))
        return self.ledger.filter(pc.and_(under, entered))


def read_holdout(warehouse: Warehouse, experiment: Experiment, *, day: date) -> Holdout:
    """The ledger, and the salt in force on a day.

    Raises
    ------
    DataError : the salt was changed without a dated rotation.
    """
    ledger = warehouse.dataset(HOLDOUT_LEDGER.name).to_table()
    salt = salt_in_force(salt_periods(ledger), experiment=experiment, day=day)
    return Holdout(experiment=replace(experiment, salt=salt), ledger=ledger)


def policy_under(holdout: Holdout, policy: NightPolicy) -> NightPolicy:
    """The night's policy with the salt in force and the share that propensities need."""
    share = holdout.share(policy.day)
    return replace(policy, experiment=replace(holdout.experiment, holdout_share=share))


def salt_periods(ledger: pa.Table) -> list[SaltPeriod]:
    """The salts of the ledger, the earliest first."""
    known = ledger.group_by("salt").aggregate([("entered_on", "min"), ("left_on", "max")])
    periods = [
        SaltPeriod(row["salt"], row["entered_on_min"], row["left_on_max"])
        for row in known.to_pylist()
    ]
    return sorted(periods, key=lambda period: (period.since, period.salt))


def record_members(
    warehouse: Warehouse,
    holdout: Holdout,
    scored: ScoredCustomers,
    *,
    members: BoolArray,
    policy: NightPolicy,
) -> int:
    """Append the night's new members, and the leaving of those of an earlier salt.

    Nothing is ever changed or deleted: a member has one row, and after a rotation a second
    one with `left_on`. A rerun finds its rows there and appends nothing.

    Returns
    -------
    The number of rows appended.
    """
    rows = pa.concat_tables([_entering(holdout, scored, members, policy), _leaving(holdout)])
    if not rows.num_rows:
        return 0
    digest = hashlib.sha256()
    for name in ("customer_id", "salt", "entered_on", "left_on"):
        digest.update("\n".join(map(str, rows[name].to_pylist())).encode())
    warehouse.append(HOLDOUT_LEDGER.name, rows, source_digest=digest.hexdigest())
    return int(rows.num_rows)


def _entering(
    holdout: Holdout, scored: ScoredCustomers, members: BoolArray, policy: NightPolicy
) -> pa.Table:
    ledger = holdout.ledger
    known = ledger.filter(pc.equal(ledger["salt"], holdout.experiment.salt))["customer_id"]
    places = pa.array(np.flatnonzero(members))
    ids, buckets = scored.customer_id.take(places), pa.array(scored.bucket).take(places)
    fresh = pc.invert(pc.is_in(ids, value_set=known))
    ids, buckets = ids.filter(fresh), buckets.filter(fresh)
    return _rows(
        {
            "customer_id": ids,
            "bucket": buckets,
            "salt": holdout.experiment.salt,
            "holdout_share": holdout.experiment.holdout_share,
            "entered_on": policy.day,
            "entered_at": pa.scalar(policy.as_of_us, pa.int64()).cast(TIME),
            "left_on": None,
        },
        len(ids),
    )


def _leaving(holdout: Holdout) -> pa.Table:
    """Rows of members of earlier salts that have not left, now that the rotation is in force."""
    ledger, experiment = holdout.ledger, holdout.experiment
    others = ledger.filter(pc.not_equal(ledger["salt"], experiment.salt))
    is_new = experiment.salt not in ledger["salt"].unique().to_pylist()
    if not is_new or experiment.rotated_on is None or not others.num_rows:
        return HOLDOUT_LEDGER.schema.empty_table()
    gone = others.filter(pc.is_valid(others["left_on"]))
    names = [_member_names(table) for table in (others, gone)]
    staying = others.filter(pc.invert(pc.is_in(names[0], value_set=names[1])))
    columns = {name: staying[name] for name in HOLDOUT_LEDGER.schema.names}
    columns["left_on"] = date.fromisoformat(experiment.rotated_on)
    return _rows(columns, staying.num_rows)


def _member_names(table: pa.Table) -> pa.Array:
    return pc.binary_join_element_wise(table["customer_id"], table["salt"], "\x1f")


def _rows(columns: Mapping[str, object], n_rows: int) -> pa.Table:
    """Rows of the ledger; single values are repeated."""
    arrays = []
    for field in HOLDOUT_LEDGER.schema:
        value = columns[field.name]
        if not isinstance(value, pa.Array | pa.ChunkedArray):
            value = pa.repeat(pa.scalar(value, field.type), n_rows)
        arrays.append(value.cast(field.type))
    return pa.Table.from_arrays(arrays, schema=HOLDOUT_LEDGER.schema)
