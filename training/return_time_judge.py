"""Judging return curves out of time: integrated Brier score beside Kaplan-Meier by segment."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.calibration import Calibration
from models.return_time import LEVEL, ReturnCurves, ReturnTimeModel
from training.ladder import Verdict, verdict_of
from training.metrics import Estimate, draw_customers
from training.return_rows import Followed, Outcomes, outcomes_of
from training.segment_curves import fit_segment_curves

Float64Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

KAPLAN_MEIER = "Kaplan-Meier by segment"
PARTS = ("all", "dormant", "not dormant")

_GRID_DAYS = 60
_DRAWS_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Coverage:
    """How often the interval of the return time held, where the follow-up can tell.

    Attributes
    ----------
    level : probability that it should hold.
    rows : rows whose whole interval lies inside their follow-up.
    covered : share of these whose return fell inside.
    early_rows, early : rows whose first day lies inside the follow-up, and the share of
        them that returned before it; (1 - level) / 2 is right.
    late : share of `rows` that returned after the last day or not at all.
    """

    level: float
    rows: int
    covered: float | None
    early_rows: int
    early: float | None
    late: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Integrated Brier scores of one part of the rows; lower is better."""

    part: str
    rows: int
    returns: int
    model: Estimate
    baseline: Estimate
    difference: Estimate
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class ReturnTimeReport:
    """What a test fold says about a return-time model.

    Attributes
    ----------
    horizon_days : the last day that the model speaks of.
    judged_days : days the test fold could be followed for; nothing is proven beyond.
    customers : in the test fold.
    comparisons : all rows, then the dormant and the others; parts without rows are left out.
    days, model_brier, baseline_brier : Brier score by days ahead, for the plot.
    coverage : of the interval.
    trees : of the forest.
    calibration_slope, calibration_intercept : the line that would have mended the judged
        forecasts, 1 and 0 if nothing was amiss; what serves has it.
    importance : each feature's share of the forest's gain, largest first.
    """

    horizon_days: float
    judged_days: float
    customers: int
    comparisons: tuple[Comparison, ...]
    days: tuple[float, ...]
    model_brier: tuple[float, ...]
    baseline_brier: tuple[float, ...]
    coverage: Coverage
    trees: int
    calibration_slope: float
    calibration_intercept: float
    importance: tuple[tuple[str, float], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """A JSON object; no customer in it."""
        return {
            **asdict(self),
            "kind": "return_time",
            "baseline": KAPLAN_MEIER,
            "verdicts": list(self.verdicts),
            "importance": [{"feature": name, "gain_share": g} for name, g in self.importance],
        }

    @property
    def verdicts(self) -> tuple[str, ...]:
        """What may be said of all rows, of the dormant and of the others, with figures."""
        return tuple(comparison_text(one) for one in self.comparisons)


def comparison_text(comparison: Comparison) -> str:
    """The verdict of a comparison as a sentence with its figures."""
    difference = comparison.difference
    figures = f"integrated Brier score {difference.value:+.4f}"
    if difference.low is not None and difference.high is not None:
        figures += f", 95 % interval {difference.low:+.4f} to {difference.high:+.4f}"
    says = {
        "better": f"better than {KAPLAN_MEIER}",
        "worse": f"worse than {KAPLAN_MEIER}",
        "not proven yet": f"not proven yet to be better than {KAPLAN_MEIER}",
    }
    whom = "" if comparison.part == "all" else f" for the {comparison.part}"
    return f"return time: {says[comparison.verdict]}{whom} ({figures})"


def judged_grid(outcomes: Outcomes, *, horizon_days: float) -> Float64Array:
    """Days to judge at: 0 to what half of the rows were followed for, at most 61 of them."""
    if len(outcomes.followed_days) == 0:
        return np.zeros(1)
    last = min(float(np.quantile(outcomes.followed_days, 0.5, method="lower")), horizon_days)
    whole = int(last)
    return np.unique(np.round(np.linspace(0, whole, min(whole, _GRID_DAYS) + 1)))


def brier_by_day(survival: Float64Array, outcomes: Outcomes, *, days: Float64Array) -> Float64Array:
    """Each row's part of the Brier score of P(no return yet) at each day, shape (n, n_days).

    Rows stand for those of equal luck that were not followed long enough: a row counts
    1 / G, where G is the share of rows followed until its return, or until the day if
    there was none before. The mean over rows is the score.

    Parameters
    ----------
    survival : forecasts at the days, shape (n, n_days).
    outcomes : what was seen.
    days : days ahead, shape (n_days,).

    References
    ----------
    Graf, Schmoor, Sauerbrei, Schumacher 1999.
    """
    ordered = np.sort(outcomes.followed_days)
    n = len(ordered)
    until_return = (n - np.searchsorted(ordered, outcomes.days, side="right")) / n
    until_day = (n - np.searchsorted(ordered, days, side="left")) / n
    back = outcomes.returned[:, None] & (outcomes.days[:, None] <= days[None, :])
    away = (outcomes.days[:, None] > days[None, :]) | (
        ~outcomes.returned[:, None] & (outcomes.days[:, None] >= days[None, :])
    )
    # A return is seen only by who follows longer, so until_return > 0 wherever it counts.
    weight_back = 1.0 / np.maximum(until_return, 1.0 / n)
    weight_away = 1.0 / np.maximum(until_day, 1.0 / n)
    score = np.where(back, survival**2 * weight_back[:, None], 0.0)
    return np.asarray(
        score + np.where(away & ~back, (1.0 - survival) ** 2 * weight_away[None, :], 0.0)
    )


def judge_return_time(
    model: ReturnTimeModel,
    *,
    known: Followed,
    test: Followed,
    line: Calibration,
    draws: int,
    rng: np.random.Generator,
    threads: int = 0,
) -> ReturnTimeReport:
    """Measure the model and Kaplan-Meier by segment on the same later rows.

    Parameters
    ----------
    model : fitted on what was known at the border.
    known : rows the Kaplan-Meier curves are fitted on, followed until the test as-of.
    test : the rows of that as-of, followed as long as could be.
    line : fitted on the same later rows, for the report.
    draws : customer-bootstrap draws; 0 gives no intervals.
    rng : source of chance.
    threads : LightGBM threads.
    """
    rows, seen = test.rows, outcomes_of(test)
    days = judged_grid(seen, horizon_days=model.horizon_days)
    curves = model.curves(rows.values, threads=threads)
    learnt = outcomes_of(known)
    segments = fit_segment_curves(known.rows.value, (learnt.days, learnt.returned), at=days)
    given = {
        "model": curves.survival_at(days),
        "baseline": segments.survival_of(rows.value),
    }
    scores = {name: brier_by_day(survival, seen, days=days) for name, survival in given.items()}
    customers, numbered = np.unique(rows.customer, return_inverse=True)
    counts = draw_customers(np.asarray(numbered, dtype=np.int64), draws=draws, rng=rng)
    integrated = {name: score @ _trapezoid(days) for name, score in scores.items()}
    chosen = (np.ones(len(rows.dormant), dtype=np.bool_), rows.dormant, ~rows.dormant)
    return ReturnTimeReport(
        horizon_days=model.horizon_days,
        judged_days=float(days[-1]),
        customers=len(customers),
        comparisons=tuple(
            _compare(part, integrated, seen.returned, inside, counts)
            for part, inside in zip(PARTS, chosen, strict=True)
            if inside.any()
        ),
        days=tuple(days.tolist()),
        model_brier=tuple(scores["model"].mean(axis=0).tolist()),
        baseline_brier=tuple(scores["baseline"].mean(axis=0).tolist()),
        coverage=measure_coverage(curves, seen),
        trees=model.forest.rounds,
        calibration_slope=line.slope,
        calibration_intercept=line.intercept,
    )


def measure_coverage(curves: ReturnCurves, outcomes: Outcomes, *, level: float = LEVEL) -> Coverage:
    """How often the interval held.

    Only intervals that end inside the follow-up can be checked at both ends; choosing by
    the interval and not by the outcome keeps the shares fair.
    """
    low, high = curves.interval(level)
    early_rows = low <= outcomes.followed_days
    closed = high <= outcomes.followed_days
    early = outcomes.returned & (outcomes.days < low)
    inside = outcomes.returned & ~early & (outcomes.days <= high)

    def share(what: BoolArray, among: BoolArray) -> float | None:
        return float(what[among].mean()) if among.any() else None

    return Coverage(
        level=level,
        rows=int(closed.sum()),
        covered=share(inside, closed),
        early_rows=int(early_rows.sum()),
        early=share(early, early_rows),
        late=share(~early & ~inside, closed),
    )


def _trapezoid(days: Float64Array) -> Float64Array:
    """Weights that turn scores at the days into their mean over the time."""
    if len(days) == 1:
        return np.ones(1)
    steps = np.diff(days)
    weights = np.zeros(len(days))
    weights[:-1] += steps / 2.0
    weights[1:] += steps / 2.0
    return np.asarray(weights / weights.sum())


def _compare(
    part: str,
    integrated: dict[str, Float64Array],
    returned: BoolArray,
    rows: BoolArray,
    counts: NDArray[np.uint8],
) -> Comparison:
    point = {name: float(score[rows].mean()) for name, score in integrated.items()}
    means = _resampled_means(
        {name: score[rows] for name, score in integrated.items()}, counts, rows
    )
    difference = _estimate(point["model"] - point["baseline"], means["model"] - means["baseline"])
    return Comparison(
        part=part,
        rows=int(rows.sum()),
        returns=int(returned[rows].sum()),
        model=_estimate(point["model"], means["model"]),
        baseline=_estimate(point["baseline"], means["baseline"]),
        difference=difference,
        verdict=verdict_of(difference, lower_is_better=True),
    )


def _resampled_means(
    scores: dict[str, Float64Array], counts: NDArray[np.uint8], rows: BoolArray
) -> dict[str, Float64Array]:
    """Mean score of each draw; NaN for a draw without a row. A part of the draws at a time."""
    parts: dict[str, list[Float64Array]] = {name: [] for name in scores}
    for start in range(0, len(counts), _DRAWS_AT_ONCE):
        weights = counts[start : start + _DRAWS_AT_ONCE, rows].astype(np.float64)
        total = weights.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            for name, score in scores.items():
                parts[name].append(weights @ score / total)
    return {name: np.concatenate([*means, np.empty(0)]) for name, means in parts.items()}


def _estimate(value: float, draws: Float64Array) -> Estimate:
    finite = draws[np.isfinite(draws)]
    if len(finite) == 0:
        return Estimate(value, None, None)
    low, high = np.quantile(finite, (0.025, 0.975))
    return Estimate(value, float(low), float(high))
