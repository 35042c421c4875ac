"""One ladder of forecasters fitted as of the test cutoff."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from features.manifest import feature_manifest
from models.baselines import fit_baselines
from models.bundle import Kind
from models.calibration import Calibration
from models.forest import Forest, ForestSettings, Sample, fit_forest
from models.ladder import FOREST, RUNGS, STACK, Ladder, Shift, stacked
from models.purchase_rung import PURCHASE_PROCESS
from training.folds import FoldName
from training.level_fit import Level, Levels
from training.material import Material
from training.panel import PanelRows
from training.plan import TrainingPlan
from training.stack import (
    EQUAL_WEIGHTS,
    RungMap,
    calibrate_rung,
    choose_calibration,
    choose_rung,
    cross_fitted_losses,
    fit_shift,
    fit_weights,
    is_enough,
)

Float64Array = NDArray[np.float64]
Int64Array = NDArray[np.int64]

REFITTED: tuple[FoldName, ...] = ("training", "between", "validation")
_AT_FACE_VALUE = dict.fromkeys((PURCHASE_PROCESS, FOREST, STACK), Calibration("platt"))
SHIFT_ROWS = 100_000
"""Rows on which it is measured how far a level moves each rung."""


@dataclass(frozen=True, slots=True)
class FittedLadder:
    """A ladder as of the test cutoff, and what was found on the way.

    Attributes
    ----------
    ladder : knows nothing that arrived at or after the test cutoff.
    level : the ladder's at the test cutoff; 0 by rule "none" where it is not used.
    method, rows : of calibration, and the validation rows behind it; "none" where too few
        customers speak for one: see `training.stack.is_enough`.
    selection : cross-fitted log loss of every rung on the validation fold.
    """

    ladder: Ladder
    level: Level
    method: Literal["isotonic", "platt", "none"]
    rows: int
    selection: dict[str, float]

    def at(self, levels: Levels, as_of_us: int) -> Ladder:
        """The same ladder with level and purchase processes of another as-of."""
        plain = self.method == "none"
        return replace(
            self.ladder,
            level=_forecast_level(levels, as_of_us, plain=plain).value,
            purchase=levels.rung(as_of_us, plain=plain),
        )


def _forecast_level(levels: Levels, as_of_us: int, *, plain: bool) -> Level:
    """The level to expect; of a small shop only what was so a year ago, too."""
    level = levels.forecast(as_of_us)
    return Level(0.0, "none", level.seen) if plain and level.rule != "season" else level


@dataclass(frozen=True, slots=True)
class _Validation:
    """The validation fold forecast by what the training fold taught."""

    raw: dict[str, Float64Array]
    plain: Float64Array
    rows: PanelRows
    cutoff: Int64Array


class _Fit:
    """The pieces that the steps of one fit share."""

    def __init__(self, kind: Kind, material: Material, plan: TrainingPlan) -> None:
        self.kind, self.material, self.plan = kind, material, plan
        folds = material.folds
        self.levels = Levels(kind, material.levels, material.processes, folds, folds.test_us)
        self.offsets = np.array([self.levels.at(int(as_of)) for as_of in folds.as_ofs])
        self.training = self.fold(["training"])
        self.base = base_log_odds(self.training, self.offsets)
        self.settings = ForestSettings(**asdict(plan.for_model(kind).learner))
        self.threads = plan.learner.threads

    def fold(self, names: Sequence[FoldName]) -> PanelRows:
        return self.material.panel.fold(self.kind, names, self.material.folds)

    def purchase_log_odds(self, rows: PanelRows, *, plain: bool = False) -> Float64Array:
        """MBG/NBD at each row's own cutoff, with what was visible there."""
        raw = np.empty(len(rows.labels))
        for position in np.unique(rows.cutoff).tolist():
            chosen = rows.cutoff == position
            as_of = int(self.material.folds.as_ofs[position])
            rung = self.levels.rung(as_of, plain=plain)
            raw[chosen] = rung.log_odds(rows.value.take(chosen))
        return raw

    def forest(self, rows: PanelRows, later: PanelRows | None, *, rounds: int | None) -> Forest:
        """Boosted on rows beside their levels, until `later` or for so many rounds."""
        manifest = feature_manifest(self.material.spec)
        settings = self.settings if rounds is None else replace(self.settings, max_rounds=rounds)
        return fit_forest(
            sample(rows, self.offsets, self.base),
            validation=None if later is None else sample(later, self.offsets, self.base),
            names=self.material.feature_names,
            categorical=tuple(f.name for f in manifest if f.kind == "categorical"),
            settings=settings,
        )


def fit_ladder(kind: Kind, material: Material, *, plan: TrainingPlan) -> FittedLadder:
    """Fit all rungs on what the test cutoff knows; see `training.fit.fit_model`.

    Parameters
    ----------
    kind : which model.
    material : everything at and before the test cutoff.
    plan : learner settings and calibration wish.
    """
    fit = _Fit(kind, material, plan)
    rows = fit.fold(["validation"])
    first = fit.forest(fit.training, rows, rounds=None)
    seen = _forecast_validation(fit, first, rows)
    labels, customers = rows.labels, rows.customer
    method = plan.calibration
    if method == "auto":
        method = choose_calibration(seen.raw[STACK], labels, seen.cutoff, customers=customers)
    losses = cross_fitted_losses(seen.raw, labels, seen.cutoff, customers=customers, method=method)
    plain = plan.calibration == "auto" and not is_enough(
        losses[STACK], seen.plain, labels, customers
    )
    everything = fit.fold(REFITTED)
    weights = EQUAL_WEIGHTS if plain else fit_weights(seen.raw, labels, seen.cutoff)
    maps = {
        name: calibrate_rung(seen.raw[name], labels, seen.cutoff, method=method) for name in RUNGS
    }
    ladder = Ladder(
        baselines=fit_baselines(everything.value, everything.labels),
        purchase=fit.levels.rung(material.folds.test_us, plain=plain),
        forest=fit.forest(everything, None, rounds=first.rounds),
        forest_base=fit.base,
        weights=weights,
        calibrations={name: one.calibration for name, one in maps.items()},
        shifts={name: Shift(1.0, 0.0) for name in RUNGS},
        level=0.0,
        shipped=STACK if plain else choose_rung(losses, customers),
    )
    shifts = _fit_shifts(fit, ladder, seen, maps)
    if plain:
        # Baselines keep their calibrations: beaten at face value they would prove nothing.
        ladder = replace(ladder, calibrations=ladder.calibrations | _AT_FACE_VALUE)
        shifts |= dict.fromkeys(_AT_FACE_VALUE, Shift(1.0, 0.0))
    ladder = replace(ladder, shifts=shifts)
    fitted = FittedLadder(
        ladder=ladder,
        level=_forecast_level(fit.levels, material.folds.test_us, plain=plain),
        method="none" if plain else method,
        rows=len(labels),
        selection={name: float(loss.mean()) for name, loss in losses.items()},
    )
    return replace(fitted, ladder=fitted.at(fit.levels, material.folds.test_us))


def _forecast_validation(fit: _Fit, first: Forest, rows: PanelRows) -> _Validation:
    raw = {
        one.name: logit(one.probabilities(rows.value))
        for one in fit_baselines(fit.training.value, fit.training.labels)
    }
    raw[PURCHASE_PROCESS] = fit.purchase_log_odds(rows)
    raw[FOREST] = fit.base + first.raw_scores(rows.values, threads=fit.threads)
    cutoff = np.unique(rows.cutoff, return_inverse=True)[1].astype(np.int64)
    raw[STACK] = stacked(raw, fit_weights(raw, rows.labels, cutoff))
    face_value = {**raw, PURCHASE_PROCESS: fit.purchase_log_odds(rows, plain=True)}
    return _Validation(raw, stacked(face_value, EQUAL_WEIGHTS), rows, cutoff)


def _fit_shifts(
    fit: _Fit, ladder: Ladder, seen: _Validation, maps: dict[str, RungMap]
) -> dict[str, Shift]:
    """How levels move each rung, on validation rows and on those it has learnt from."""
    rest = fit.fold(["training", "between"])
    rest = rest.take(_spread(len(rest.labels)))
    fitted = ladder.log_odds(rest.values, rest.value, threads=fit.threads)
    fitted[PURCHASE_PROCESS] = fit.purchase_log_odds(rest)
    fitted[STACK] = stacked(fitted, ladder.weights)
    return {
        name: fit_shift(
            (seen.raw[name], seen.rows.labels, fit.offsets[seen.rows.cutoff]),
            (fitted[name], rest.labels, fit.offsets[rest.cutoff]),
            slope=one.slope,
        )
        for name, one in maps.items()
    }


def _spread(rows: int) -> NDArray[np.int64]:
    """Positions of at most `SHIFT_ROWS` rows, evenly spread over buckets and cutoffs."""
    return np.unique(np.linspace(0, rows - 1, min(rows, SHIFT_ROWS)).astype(np.int64))


def base_log_odds(rows: PanelRows, offsets: Float64Array) -> float:
    """The constant that, with each cutoff's level, makes the mean forecast right."""
    offset, wanted, base = offsets[rows.cutoff], float(rows.labels.mean()), 0.0
    for _ in range(50):
        p = expit(base + offset)
        step = float((p.mean() - wanted) / (p * (1 - p)).mean())
        base -= float(np.clip(step, -1.0, 1.0))
        if abs(step) < 1e-10:
            break
    return base


def sample(rows: PanelRows, offsets: Float64Array, base: float) -> Sample:
    """Rows as the forest learns from them, beside their cutoff's level and the base."""
    return Sample(rows.values, rows.labels, offsets[rows.cutoff] + base)
