"""The panel: one row per customer and cutoff, split into the two populations and sampled."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.history import History
from features.history_sample import customer_hashes, select_customers
from features.matrix import build_matrix
from features.return_counts import count_returns
from features.spec import FeatureSpec
from features.stage import Stage
from features.stage_state import NO_STAGE, stage_states
from models.bundle import KINDS, Kind
from models.customer_value import CustomerValue, concat_values, customer_values
from training.durations import next_return_us
from training.folds import FoldName, Folds
from training.labels import returned
from training.next_contact import next_contact_us

Float32Array = NDArray[np.float32]
Int64Array = NDArray[np.int64]
Int16Array = NDArray[np.int16]
Int8Array = NDArray[np.int8]
UInt64Array = NDArray[np.uint64]
BoolArray = NDArray[np.bool_]

_SAMPLE_STEP = 0.8


@dataclass(frozen=True, slots=True)
class PanelRows:
    """Rows of one population, in order of bucket, customer and cutoff.

    Attributes
    ----------
    values : features, shape (n, F).
    labels : 1 is what the model predicts: no return (dormancy risk) or a return (natural
        return); shape (n,).
    cutoff : position in the folds' cutoffs, shape (n,).
    customer : hash of the customer's id, shape (n,).
    value : what the baselines read.
    return_us : when the customer came back first, label window or not (us, UTC), NO_TIME
        where that is not known; shape (n,).
    contact_us : when the customer was contacted first at or after the as-of (us, UTC),
        NO_TIME where that is not known; shape (n,).
    """

    values: Float32Array
    labels: Int8Array
    cutoff: Int16Array
    customer: UInt64Array
    value: CustomerValue
    return_us: Int64Array
    contact_us: Int64Array

    def take(self, rows: NDArray[Any]) -> "PanelRows":
        """The chosen rows, by mask or position."""
        return PanelRows(
            values=self.values[rows],
            labels=self.labels[rows],
            cutoff=self.cutoff[rows],
            customer=self.customer[rows],
            value=self.value.take(rows),
            return_us=self.return_us[rows],
            contact_us=self.contact_us[rows],
        )


@dataclass(frozen=True, slots=True)
class Exclusions:
    """Rows of (customer, cutoff) that no model learns from, by reason.

    Attributes
    ----------
    without_stage : no milestone had been reached.
    without_silence_days : the stage has none, so nobody is recalled from it.
    sampled_out : left out by customer hash to stay below max_rows.
    contacted : dormant rows with a contact in the label window before any return, where
        natural return is learnt from uncontacted windows.
    thinned : uncontacted rows left out there, see `training.uncontacted`.
    """

    without_stage: int = 0
    without_silence_days: int = 0
    sampled_out: int = 0
    contacted: int = 0
    thinned: int = 0

    def __add__(self, other: "Exclusions") -> "Exclusions":
        return Exclusions(
            *(getattr(self, part.name) + getattr(other, part.name) for part in fields(self))
        )


@dataclass(frozen=True, slots=True)
class Panel:
    """All rows of a training run (or of one bucket of it), by model kind."""

    rows: dict[Kind, PanelRows]
    excluded: Exclusions
    sampled_share: float = 1.0

    def fold(self, kind: Kind, names: FoldName | Sequence[FoldName], folds: Folds) -> PanelRows:
        """The rows of one population at the cutoffs of one or more folds."""
        wanted = (names,) if isinstance(names, str) else tuple(names)
        inside = np.array([cutoff.fold in wanted for cutoff in folds.cutoffs])
        rows = self.rows[kind]
        return rows.take(inside[rows.cutoff])


def build_panel(
    history: History,
    *,
    spec: FeatureSpec,
    stages: Sequence[Stage],
    folds: Folds,
    share: float = 1.0,
) -> Panel:
    """Features, populations and labels of one bucket at all cutoffs.

    Not dormant customers on a stage with silence_days are at risk (label: no return in the
    window); dormant ones may return by themselves (label: a return). The rest is counted.

    Parameters
    ----------
    history : one bucket.
    spec : feature specification with its attribute vocabulary.
    stages : the ladder, in configured order.
    folds : cutoffs and label window.
    share : of the customers, by hash, whose rows are wanted; the others' are only counted,
        which saves their features.

    References
    ----------
    METHODS.md section 1.4.
    """
    everyone = stage_states(history, stages, spec=spec, as_ofs=folds.as_ofs)
    counted = np.array([stage.silence_days is not None for stage in stages])
    staged = everyone.stage != NO_STAGE
    recalled = staged & counted[everyone.stage]
    hashes = customer_hashes(history)
    wanted = is_sampled(hashes, share)
    excluded = Exclusions(
        without_stage=int(np.count_nonzero(~staged)),
        without_silence_days=int(np.count_nonzero(staged & ~recalled)),
        sampled_out=int(np.count_nonzero(recalled & ~wanted[everyone.customer])),
    )
    history, hashes = select_customers(history, np.flatnonzero(wanted)), hashes[wanted]
    matrix = build_matrix(history, spec=spec, as_ofs=folds.as_ofs)
    states = stage_states(history, stages, spec=spec, as_ofs=folds.as_ofs)
    rows = (matrix.customer.astype(np.int64), matrix.as_of, states.stage)
    known = label_knowledge(matrix.as_of, folds)
    back = returned(
        history,
        spec=spec,
        stages=stages,
        rows=rows,
        window=(folds.gap_us, folds.horizon_us),
        known_before_us=known,
    )
    return_us = next_return_us(history, spec=spec, stages=stages, rows=rows, known_before_us=known)
    contact_us = next_contact_us(history, rows=rows[:2], known_before_us=known)
    counts = count_returns(history, stages, spec=spec, states=states)
    recalled = (states.stage != NO_STAGE) & counted[states.stage]
    dormant = recalled & states.dormant
    at_risk = recalled & ~states.dormant

    def population(chosen: BoolArray, label: BoolArray) -> PanelRows:
        return PanelRows(
            values=matrix.values[chosen],
            labels=label[chosen].astype(np.int8),
            cutoff=np.searchsorted(folds.as_ofs, matrix.as_of[chosen]).astype(np.int16),
            customer=hashes[matrix.customer[chosen]],
            value=customer_values(matrix, states, counts, chosen),
            return_us=return_us[chosen],
            contact_us=contact_us[chosen],
        )

    return Panel(
        rows={
            "dormancy_risk": population(at_risk, ~back),
            "natural_return": population(dormant, back),
        },
        excluded=excluded,
    )


def is_sampled(hashes: UInt64Array, share: float) -> BoolArray:
    """Which customers belong to a share of all; a smaller share is part of every larger one."""
    if share >= 1.0:
        return np.ones(len(hashes), dtype=np.bool_)
    return np.asarray(hashes < np.uint64(int(share * 2**64)))


def label_knowledge(
    as_of: Int64Array, folds: Folds, *, horizon_us: int | None = None
) -> Int64Array:
    """Before which arrival each row's label is known: us, UTC, shape (n,).

    What the test cutoff judges must not have learnt from what arrived after it; the test
    rows themselves are judged by all that the run knows.

    Parameters
    ----------
    as_of : of the rows, us, UTC, shape (n,).
    folds : test cutoff and training as-of.
    horizon_us : length of the window; null: that of the folds.
    """
    reach = folds.gap_us + (folds.horizon_us if horizon_us is None else horizon_us)
    return np.where(as_of + reach <= folds.test_us, folds.test_us, folds.trained_until_us)


class PanelCollector:
    """Gathers buckets' panels and keeps the whole below a number of rows.

    Customers are kept while their hash is below a threshold that falls in fixed steps, so
    the sample depends on the customers alone, not on the order in which buckets arrive.

    Parameters
    ----------
    max_rows : most rows of both populations together.
    """

    def __init__(self, max_rows: int) -> None:
        self._max_rows = max_rows
        self._share = 1.0
        self._pieces: dict[int, Panel] = {}
        self._sampled_out = 0

    @property
    def share(self) -> float:
        """Share of customers kept so far; it only falls, so the others need no features."""
        return self._share

    def add(self, bucket: int, panel: Panel) -> None:
        """Take in one bucket's panel."""
        self._pieces[bucket] = self._sample(panel)
        while self._rows() > self._max_rows:
            self._share *= _SAMPLE_STEP
            self._pieces = {at: self._sample(piece) for at, piece in self._pieces.items()}

    def collect(self) -> Panel:
        """All that was added, in order of bucket; the collector is empty afterwards."""
        pieces = [self._pieces[bucket] for bucket in sorted(self._pieces)]
        self._pieces = {}
        excluded = sum((piece.excluded for piece in pieces), Exclusions())
        excluded += Exclusions(sampled_out=self._sampled_out)
        rows = {kind: concat_rows([piece.rows[kind] for piece in pieces]) for kind in KINDS}
        return Panel(rows=rows, excluded=excluded, sampled_share=self._share)

    def _rows(self) -> int:
        return sum(len(r.labels) for piece in self._pieces.values() for r in piece.rows.values())

    def _sample(self, panel: Panel) -> Panel:
        if self._share == 1.0:
            return panel
        kept = {
            kind: rows.take(is_sampled(rows.customer, self._share))
            for kind, rows in panel.rows.items()
        }
        self._sampled_out += sum(
            len(panel.rows[kind].labels) - len(kept[kind].labels) for kind in panel.rows
        )
        return Panel(rows=kept, excluded=panel.excluded)


def concat_rows(pieces: Sequence[PanelRows]) -> PanelRows:
    """Rows of several pieces, one after the other."""
    return PanelRows(
        values=np.concatenate([piece.values for piece in pieces]),
        labels=np.concatenate([piece.labels for piece in pieces]),
        cutoff=np.concatenate([piece.cutoff for piece in pieces]),
        customer=np.concatenate([piece.customer for piece in pieces]),
        value=concat_values([piece.value for piece in pieces]),
        return_us=np.concatenate([piece.return_us for piece in pieces]),
        contact_us=np.concatenate([piece.contact_us for piece in pieces]),
    )
