"""When a customer will be back: the odds of a return in each bin of days, and what follows."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.errors import ArtifactError, describe
from models.calibration import Calibration, calibration_from_json
from models.forest import Forest, read_forest
from models.hazard_forest import HazardForest, anchor_weights

Float64Array = NDArray[np.float64]
Float32Array = NDArray[np.float32]

LEVEL = 0.8
"""Probability that the interval of the return time holds."""

PARTS = ("hazards.json", "model.txt")


@dataclass(frozen=True, slots=True)
class ReturnCurves:
    """The survival curves of n customers: the probability of no return so far.

    The hazard is constant inside a bin, so the logarithm of the survival is a straight line
    between the edges. Nothing is said about days beyond the last edge, the horizon.

    Attributes
    ----------
    edges_days : bin edges, 0 first; shape (n_bins + 1,).
    survival : S at the edges, 1 first, never rising; shape (n, n_bins + 1).
    """

    edges_days: Float64Array
    survival: Float64Array

    def survival_at(self, days: Float64Array) -> Float64Array:
        """P(no return within so many days), shape (n, n_days).

        Parameters
        ----------
        days : at least 0, at most the horizon; shape (n_days,).

        Raises
        ------
        ArtifactError : a day lies beyond the horizon.
        """
        if len(days) and (days.min() < 0 or days.max() > self.edges_days[-1]):
            raise ArtifactError(
                describe(
                    "return time",
                    f"asked for days {days.min():g} to {days.max():g}",
                    expected=f"days from 0 to the model's horizon, {self.edges_days[-1]:g}",
                    fix="ask for fewer days, or train on a longer history",
                )
            )
        last = len(self.edges_days) - 2
        place = np.clip(np.searchsorted(self.edges_days, days, side="right") - 1, 0, last)
        width = self.edges_days[place + 1] - self.edges_days[place]
        share = (days - self.edges_days[place]) / width
        logs = np.log(self.survival)
        return np.exp(logs[:, place] * (1.0 - share) + logs[:, place + 1] * share)

    def return_curve(self, days: Float64Array) -> Float64Array:
        """P(return within so many days), shape (n, n_days); see `survival_at`."""
        return 1.0 - self.survival_at(days)

    def expected_days(self) -> Float64Array:
        """Expected days to the return or the horizon, whichever is first, shape (n,).

        The area below the survival curve: the sum of S over the days, truncated at the
        horizon. A value near the horizon says "about then or later", not "about then".
        """
        left, right = self.survival[:, :-1], self.survival[:, 1:]
        drop = np.log(left) - np.log(right)
        # (S0 - S1) / log(S0 / S1) is the mean of an exponential piece; flat pieces are S0.
        flat = drop < 1e-9
        mean = np.where(flat, left, (left - right) / np.where(flat, 1.0, drop))
        return np.asarray(mean @ np.diff(self.edges_days))

    def quantile(self, share: float) -> Float64Array:
        """The day by which so large a share of such customers is back, shape (n,).

        NaN where that is later than the horizon.
        """
        target = np.log1p(-share)
        logs = np.log(self.survival)
        # A curve that ends on the very share has reached it, whatever the last digit says.
        reached = logs[:, 1:] <= target + 1e-12
        bins = np.argmax(reached, axis=1)
        rows = np.arange(len(logs))
        before, after = logs[rows, bins], logs[rows, bins + 1]
        width = np.diff(self.edges_days)[bins]
        with np.errstate(invalid="ignore", divide="ignore"):
            days = self.edges_days[bins] + width * (target - before) / (after - before)
        days = np.minimum(days, self.edges_days[bins + 1])
        return np.where(reached.any(axis=1), days, np.nan)

    def interval(self, level: float = LEVEL) -> tuple[Float64Array, Float64Array]:
        """First and last day of the central interval of the return time, each of shape (n,).

        NaN means later than the horizon: the interval is open above where more than
        (1 - level) / 2 of such customers are not back by then, and both ends are NaN
        where less than that share is.
        """
        tail = (1.0 - level) / 2.0
        return self.quantile(tail), self.quantile(1.0 - tail)

    def forecast(self) -> "ReturnForecast":
        """Expected days and interval together."""
        return ReturnForecast(self.expected_days(), *self.interval())


@dataclass(frozen=True, slots=True)
class ReturnForecast:
    """When each of n customers will be back, in days from the as-of; each of shape (n,).

    Attributes
    ----------
    expected_days : expected days, truncated at the horizon.
    low_days, high_days : central 80 % interval; NaN where later than the horizon.
    """

    expected_days: Float64Array
    low_days: Float64Array
    high_days: Float64Array


@dataclass(frozen=True, slots=True)
class ReturnTimeModel:
    """Hazards by bin of days, calibrated on later as-ofs.

    Attributes
    ----------
    hazards : the forest and the log-odds it starts from.
    edges_days : bin edges, 0 first, the horizon last.
    calibration : line on the log-odds of the hazards, the same for all bins.
    """

    hazards: HazardForest
    edges_days: Float64Array
    calibration: Calibration

    @property
    def horizon_days(self) -> float:
        """The last day that the model speaks of."""
        return float(self.edges_days[-1])

    @property
    def forest(self) -> Forest:
        """The forest, for its text and its gains."""
        return self.hazards.forest

    def curves(self, values: Float32Array, *, threads: int = 0) -> ReturnCurves:
        """Survival curves of feature rows.

        Parameters
        ----------
        values : feature matrix rows, shape (n, F).
        threads : LightGBM threads; 0 is its default.
        """
        log_odds = self.hazards.log_odds(values, threads=threads)
        hazard = self.calibration.apply(log_odds)
        start = np.ones((len(values), 1))
        survival = np.concatenate([start, np.cumprod(1.0 - hazard, axis=1)], axis=1)
        return ReturnCurves(self.edges_days, survival)

    def survival(self, values: Float32Array, *, threads: int = 0) -> Float64Array:
        """P(no return before each bin edge), shape (n, n_bins + 1)."""
        return self.curves(values, threads=threads).survival

    def to_parts(self) -> dict[str, bytes]:
        """The files of the model by name, text only; `return_time_from_parts` reads them."""
        document = {
            "edges_days": self.edges_days.tolist(),
            "base_log_odds": self.hazards.base.tolist(),
            "calibration": self.calibration.to_json(),
        }
        text = json.dumps(document, indent=1, sort_keys=True, allow_nan=False)
        return {
            "hazards.json": f"{text}\n".encode(),
            "model.txt": self.forest.text.encode("utf-8"),
        }


def return_time_from_parts(parts: dict[str, bytes]) -> ReturnTimeModel:
    """Read a model back.

    Raises
    ------
    ArtifactError : the parts are not those that `ReturnTimeModel.to_parts` writes.
    """
    forest = read_forest(parts["model.txt"].decode("utf-8"))
    try:
        document: dict[str, Any] = json.loads(parts["hazards.json"])
        edges = np.array([float(day) for day in document["edges_days"]])
        base = np.array([float(one) for one in document["base_log_odds"]])
        calibration = calibration_from_json(document["calibration"])
    except (KeyError, TypeError, ValueError) as error:
        raise _not_hazards("not the hazards of a return-time model") from error
    if len(base) == 0 or len(edges) != len(base) + 1:
        raise _not_hazards(f"{len(edges)} bin edges and {len(base)} hazards")
    if edges[0] != 0 or np.any(np.diff(edges) <= 0):
        raise _not_hazards("bin edges that do not ascend from 0")
    anchors = anchor_weights(len(base)).shape[1]
    per_round = int(forest.booster.num_model_per_iteration())
    if per_round != anchors:
        raise _not_hazards(f"{per_round} trees per round for {anchors} anchors")
    return ReturnTimeModel(HazardForest(forest, base), edges, calibration)


def _not_hazards(fault: str) -> ArtifactError:
    return ArtifactError(
        describe(
            "hazards.json",
            fault,
            expected="ascending edges_days from 0, one base_log_odds per bin, a calibration and "
            "as many trees per round as there are anchors",
            fix="run `winback train`, which replaces champions that cannot serve, or restore "
            "the bundle from a backup",
        )
    )
