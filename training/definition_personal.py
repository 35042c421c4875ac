"""Personal windows beside the stage's: their spread, and what would change with them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.personal_silence import CLIP, RhythmFit

Float64Array = NDArray[np.float64]

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, slots=True)
class PersonalWindows:
    """Personal windows of the customers on a stage today, beside the stage's window.

    Attributes
    ----------
    window_days : the stage's window W that they are clipped to [W / 3, 3 W] of.
    quantiles : personal windows in days, by quantile of the customers.
    at_floor, at_ceiling : customers whose window is clipped from below, from above.
    dormant_earlier : customers silent past their own window but not past W.
    dormant_later : customers silent past W but not past their own window.
    """

    fit: RhythmFit
    window_days: float
    quantiles: dict[str, float]
    at_floor: int
    at_ceiling: int
    dormant_earlier: int
    dormant_later: int


def summarise_windows(
    fit: RhythmFit, windows: Float64Array, silence_days: Float64Array, *, window_days: float
) -> PersonalWindows:
    """The spread of personal windows, and what would change if they replaced W.

    Parameters
    ----------
    fit : of the stage.
    windows, silence_days : of the customers on the stage today, shape (n,).
    window_days : W.
    """
    values = np.quantile(windows, QUANTILES) if len(windows) else np.full(len(QUANTILES), np.nan)
    past_own, past_stage = silence_days >= windows, silence_days >= window_days
    return PersonalWindows(
        fit=fit,
        window_days=window_days,
        quantiles={
            f"p{round(100 * q)}": float(value)
            for q, value in zip(QUANTILES, values, strict=True)
            if np.isfinite(value)
        },
        at_floor=int((windows <= window_days / CLIP * (1 + 1e-9)).sum()),
        at_ceiling=int((windows >= window_days * CLIP * (1 - 1e-9)).sum()),
        dormant_earlier=int((past_own & ~past_stage).sum()),
        dormant_later=int((past_stage & ~past_own).sum()),
    )
