"""Check: whatever happens or arrives later, features, stages and counts stay the same bytes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.history import History
from features.manifest import feature_manifest
from features.matrix import build_matrix
from features.return_counts import count_returns
from features.spec import FeatureSpec
from features.stage import Stage
from features.stage_state import stage_states
from training.leak_audit import Check
from training.leak_audit_history import CHANGES, Change, other_future

Int64Array = NDArray[np.int64]

NAME = "future_scramble"
ROWS = "which customers have a row"
MAX_NAMED = 8


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that a model reads of some customers at some as-ofs.

    Attributes
    ----------
    customer : position in the history, shape (n,).
    as_of : microseconds UTC, shape (n,).
    features : float32, shape (n, F).
    states : stage, silence, dormancy and return counts, float64, shape (n, 6).
    """

    customer: NDArray[np.int32]
    as_of: Int64Array
    features: NDArray[np.float32]
    states: NDArray[np.float64]

    def at(self, as_of: int) -> "Snapshot":
        """The rows of one as-of."""
        rows = self.as_of == as_of
        return Snapshot(
            self.customer[rows], self.as_of[rows], self.features[rows], self.states[rows]
        )


STATE_NAMES = ("stage", "silence_days", "dormant", "repeats", "last_days", "age_days")


def take_snapshot(
    history: History, *, spec: FeatureSpec, stages: Sequence[Stage], as_ofs: Int64Array
) -> Snapshot:
    """Features, stages and return counts of a history, as training and scoring get them."""
    matrix = build_matrix(history, spec=spec, as_ofs=as_ofs)
    states = stage_states(history, stages, spec=spec, as_ofs=as_ofs)
    counts = count_returns(history, stages, spec=spec, states=states)
    columns = (
        states.stage,
        states.silence_days,
        states.dormant,
        counts.repeats,
        counts.last_days,
        counts.age_days,
    )
    stacked = np.stack([np.asarray(one, dtype=np.float64) for one in columns], axis=1)
    return Snapshot(matrix.customer, matrix.as_of, matrix.values, stacked)


def check_future(
    histories: Sequence[History],
    *,
    spec: FeatureSpec,
    stages: Sequence[Stage],
    as_ofs: Int64Array,
    seed: int,
) -> Check:
    """Change all that lies after each as-of and demand the same bytes.

    The rows of the true histories are computed for all as-ofs in one walk, as training
    does; those of each changed history for one as-of alone.

    Parameters
    ----------
    histories : samples of customers.
    spec, stages : what features and stages are made of.
    as_ofs : ascending UTC instants in microseconds.
    seed : of the scrambling.

    References
    ----------
    METHODS.md section 1, acceptance bar A5.
    """
    names = _names(spec)
    moved: dict[str, set[Change]] = {}
    rows = hidden = customers = 0
    for number, history in enumerate(histories):
        customers += history.n_customers
        truth = take_snapshot(history, spec=spec, stages=stages, as_ofs=as_ofs)
        rows += len(truth.customer)
        for position, as_of in enumerate(as_ofs.tolist()):
            expected = truth.at(as_of)
            for change in CHANGES:
                rng = np.random.default_rng([seed, number, position, CHANGES.index(change)])
                other, changed = other_future(history, change, as_of=as_of, rng=rng)
                hidden += changed if change == "deleted" else 0
                found = take_snapshot(
                    other, spec=spec, stages=stages, as_ofs=np.array([as_of], dtype=np.int64)
                )
                for name in _differences(expected, found, names):
                    moved.setdefault(name, set()).add(change)
    figures = {
        "customers": customers,
        "as_ofs": len(as_ofs),
        "rows": rows,
        "columns": len(names),
        "later_rows_changed": hidden,
    }
    return _verdict(moved, figures)


def _names(spec: FeatureSpec) -> tuple[str, ...]:
    return (*(feature.name for feature in feature_manifest(spec)), *STATE_NAMES)


def _differences(expected: Snapshot, found: Snapshot, names: tuple[str, ...]) -> list[str]:
    if not np.array_equal(expected.customer, found.customer):
        return [ROWS]
    # Bytes, not numbers: a missing value equals itself, and 0 does not equal -0.
    features = np.any(_bytes(expected.features) != _bytes(found.features), axis=0)
    states = np.any(_bytes(expected.states) != _bytes(found.states), axis=0)
    differ = np.concatenate([features, states])
    return [names[column] for column in np.flatnonzero(differ)]


def _bytes(values: NDArray[np.float32] | NDArray[np.float64]) -> NDArray[np.uint64]:
    unsigned = np.uint32 if values.dtype == np.float32 else np.uint64
    return np.ascontiguousarray(values).view(unsigned).astype(np.uint64)


def _verdict(moved: dict[str, set[Change]], figures: dict[str, int]) -> Check:
    if figures["rows"] == 0 or figures["later_rows_changed"] == 0:
        return Check(
            NAME,
            None,
            "not checked",
            "No customer of the sample has both a past and a future at the audited dates.",
            figures=figures,
        )
    about = (
        f"{figures['rows']:,} rows of {figures['customers']:,} customers at "
        f"{figures['as_ofs']} dates"
    )
    if not moved:
        return Check(
            NAME,
            None,
            "passed",
            f"{about} keep every byte of their {figures['columns']} columns when the "
            f"{figures['later_rows_changed']:,} later entries are deleted, scrambled or added to.",
            figures=figures,
        )
    changes = sorted(set().union(*moved.values()), key=CHANGES.index)
    listed = ", ".join(list(moved)[:MAX_NAMED])
    more = f" and {len(moved) - MAX_NAMED} more" if len(moved) > MAX_NAMED else ""
    return Check(
        NAME,
        None,
        "failed",
        f"{len(moved)} of {figures['columns']} columns read the future ({listed}{more}): of "
        f"{about}, some change when later entries are {' or '.join(changes)}.",
        fix="a feature must read only what happened and arrived before the as-of: correct the "
        "code that fills these columns, then train again",
        named=tuple(moved),
        figures={**figures, "columns_moved": len(moved)},
    )
