"""On which rows settings are compared: time-ordered folds before the test cutoff."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from models.bundle import Kind
from models.forest import Sample
from training.folds import MIN_TRAINING, Folds
from training.ladder_fit import base_log_odds, sample
from training.level_fit import Levels
from training.material import Material
from training.panel import PanelRows

Float64Array = NDArray[np.float64]
UInt64Array = NDArray[np.uint64]

MAX_ROWS = 200_000
"""Panel rows of a model above which its trials see a sample of whole customers."""


@dataclass(frozen=True, slots=True)
class Split:
    """One comparison: positions of the cutoffs to learn from and of the later ones that judge."""

    training: tuple[int, ...]
    validation: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TuningFold:
    """Rows of one split.

    Attributes
    ----------
    days : local dates of the validation cutoffs.
    training, validation : rows beside their cutoff's level and the base log-odds.
    customer : hash of each validation row's customer, shape (n,).
    """

    days: tuple[date, ...]
    training: Sample
    validation: Sample
    customer: UInt64Array


@dataclass(frozen=True, slots=True)
class TuningRows:
    """All that the trials of one model are judged on.

    Attributes
    ----------
    folds : the run's own validation fold first, then the earlier one if there is one.
    sampled_share : share of customers the trials see.
    """

    folds: tuple[TuningFold, ...]
    sampled_share: float


def lay_out_splits(folds: Folds) -> tuple[Split, ...]:
    """The run's training and validation cutoffs, then the same again inside the training ones.

    The earlier split judges at the last training cutoffs, fewer than the run's validation
    has where else too few would be left to learn from; it needs at least one cutoff whose
    label window ends before. The test cutoff is in no split.
    """
    at = {
        name: [i for i, cutoff in enumerate(folds.cutoffs) if cutoff.fold == name]
        for name in ("training", "validation")
    }
    known, as_ofs = at["training"], folds.as_ofs
    reach = folds.gap_us + folds.horizon_us
    splits = [Split(tuple(known), tuple(at["validation"]))]
    before: list[int] = []
    later: list[int] = []
    for wanted in range(min(len(at["validation"]), len(known)), 0, -1):
        later = known[-wanted:]
        before = [i for i in known if as_ofs[i] + reach <= as_ofs[later[0]]]
        if len(before) >= MIN_TRAINING:
            break
    if before:
        splits.append(Split(tuple(before), tuple(later)))
    return tuple(splits)


def collect_tuning_rows(
    kind: Kind, material: Material, *, min_positives: int, max_rows: int = MAX_ROWS
) -> TuningRows:
    """The rows of every split, with levels as in `training.fit.fit_model`.

    Parameters
    ----------
    kind : which model.
    material : of the training run.
    min_positives : an earlier split with fewer rows of either label in its training or
        validation is left out, and so is a sampling that would come to fewer.
    max_rows : more rows than this are sampled by customer hash.

    References
    ----------
    METHODS.md section 1.5.
    """
    folds, rows = material.folds, material.panel.rows[kind]
    splits = lay_out_splits(folds)
    levels = Levels(kind, material.levels, material.processes, folds, folds.test_us)
    offsets = np.array([levels.at(int(as_of)) for as_of in folds.as_ofs])
    used = np.isin(rows.cutoff, [i for split in splits for i in split.training + split.validation])
    kept, share = rows.take(used), 1.0
    if len(kept.labels) > max_rows:
        sampled = _sample_customers(kept, max_rows)
        if _is_rich_enough(sampled, splits[0], min_positives):
            share = len(np.unique(sampled.customer)) / len(np.unique(kept.customer))
            kept = sampled
    rich = [split for split in splits[1:] if _is_rich_enough(kept, split, min_positives)]
    return TuningRows(
        folds=tuple(_fold(kept, split, folds, offsets) for split in (splits[0], *rich)),
        sampled_share=share,
    )


def _sample_customers(rows: PanelRows, max_rows: int) -> PanelRows:
    """Rows of the customers with the lowest hashes, about `max_rows` of them."""
    customers = np.unique(rows.customer)
    wanted = int(len(customers) * max_rows / len(rows.customer))
    return rows.take(rows.customer < customers[wanted])


def _is_rich_enough(rows: PanelRows, split: Split, min_positives: int) -> bool:
    def enough(positions: Sequence[int]) -> bool:
        counts = np.bincount(rows.labels[np.isin(rows.cutoff, positions)], minlength=2)
        return int(counts.min()) >= min_positives

    return enough(split.training) and enough(split.validation)


def _fold(rows: PanelRows, split: Split, folds: Folds, offsets: Float64Array) -> TuningFold:
    training = rows.take(np.isin(rows.cutoff, split.training))
    validation = rows.take(np.isin(rows.cutoff, split.validation))
    base = base_log_odds(training, offsets)
    return TuningFold(
        days=tuple(folds.cutoffs[i].day for i in split.validation),
        training=sample(training, offsets, base),
        validation=sample(validation, offsets, base),
        customer=validation.customer,
    )
