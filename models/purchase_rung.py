"""MBG/NBD as a rung of the ladder: one process per stage, one line from it to the label."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from features.errors import ArtifactError
from models.customer_value import CustomerValue
from models.purchase_process import PurchaseProcess, process_from_json

Float64Array = NDArray[np.float64]
PURCHASE_PROCESS = "MBG/NBD"

_CERTAIN = 1e-6
"""No probability of a process below this or above one minus this."""


@dataclass(frozen=True, slots=True)
class StageLine:
    """Log-odds of the label on a stage: `intercept` + `slope` times those of the process.

    `process` is None on a stage without customers to fit it on; the intercept stands alone.
    """

    process: PurchaseProcess | None
    slope: float
    intercept: float


@dataclass(frozen=True, slots=True)
class PurchaseRung:
    """P(return in the window) by the stages' purchase processes, as log-odds of the label.

    The window's gap is neglected: given alive and a constant rate it moves nothing, and the
    line mends the rest.

    Attributes
    ----------
    label_is_return : -1 where label 1 is "no return", else 1.
    horizon_days : the label window's length.
    by_stage : by position in the ladder.
    fallback : log-odds on a stage not known at training.
    """

    label_is_return: Literal[-1, 1]
    horizon_days: float
    by_stage: dict[int, StageLine]
    fallback: float
    name: str = PURCHASE_PROCESS

    def log_odds(self, value: CustomerValue) -> Float64Array:
        """Log-odds of label 1, shape (n,)."""
        given = np.full(len(value.stage), self.fallback)
        for stage, line in self.by_stage.items():
            rows = value.stage == stage
            given[rows] = line.intercept
            if line.process is not None and rows.any():
                raw = return_log_odds(
                    line.process,
                    (value.repeats[rows], value.last_days[rows], value.age_days[rows]),
                    horizon_days=self.horizon_days,
                )
                given[rows] += line.slope * self.label_is_return * raw
        return given

    def to_json(self) -> dict[str, Any]:
        """A JSON object that `purchase_rung_from_json` reads back."""
        return {
            "label_is_return": self.label_is_return,
            "horizon_days": self.horizon_days,
            "fallback": self.fallback,
            "by_stage": {
                str(stage): {
                    "process": None if line.process is None else line.process.to_json(),
                    "slope": line.slope,
                    "intercept": line.intercept,
                }
                for stage, line in self.by_stage.items()
            },
        }


def return_log_odds(
    process: PurchaseProcess,
    counts: tuple[Float64Array, Float64Array, Float64Array],
    *,
    horizon_days: float,
) -> Float64Array:
    """Log-odds of at least one return in the horizon, shape (n,).

    Parameters
    ----------
    process : fitted on days.
    counts : repeats, last and age in days, each of shape (n,).
    """
    chance = process.p_order(*counts, horizon=horizon_days)
    return np.asarray(logit(np.clip(chance, _CERTAIN, 1.0 - _CERTAIN)), dtype=np.float64)


def purchase_rung_from_json(document: dict[str, Any]) -> PurchaseRung:
    """Read a rung back.

    Raises
    ------
    ArtifactError, KeyError, TypeError, ValueError : not one `PurchaseRung.to_json` writes.
    """
    sign = document["label_is_return"]
    if sign not in {-1, 1}:
        raise ArtifactError("label_is_return is neither -1 nor 1")
    return PurchaseRung(
        label_is_return=sign,
        horizon_days=float(document["horizon_days"]),
        by_stage={
            int(stage): StageLine(
                None if line["process"] is None else process_from_json(line["process"]),
                float(line["slope"]),
                float(line["intercept"]),
            )
            for stage, line in document["by_stage"].items()
        },
        fallback=float(document["fallback"]),
    )
