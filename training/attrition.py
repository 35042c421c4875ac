"""Fitting and judging how likely contacts end with customers leaving the channel.

Shares of each channel are drawn towards the configuration's, as if so many more contacts had
been sent; what fatigue and engagement add is a small logistic regression on top, which serves
only if it forecasts later contacts better than shares alone.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.history import NO_TIME
from models.attrition import LEAST_SHARE, AttritionModel, configured_attrition, log_odds_of
from training.attrition_rows import FOLLOW_DAYS, AttritionRows
from training.clustered_mean import clustered_mean
from training.labels import window_us

Float64Array = NDArray[np.float64]

PSEUDO_CONTACTS = 200.0
"""How many contacts of a channel the configured share weighs."""

SLOPE_SD = 0.5
"""Prior sd of a slope: one sd more of fatigue hardly ever more than triples the odds."""

LATER_SHARE = 0.3
MIN_LEFT = 30
"""Part of the contacts, the latest, that judge; and fewest customers who left, in the earlier
and in the later part each, without which there is nothing to judge by."""

_ROUNDS = 30
_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class AttritionReport:
    """What was learnt of unsubscribing, and how it was judged.

    Attributes
    ----------
    contacts, left : that were followed, and of them those that ended with leaving; by channel.
    shares : of each channel, drawn towards the configured one.
    rung : what serves, as in `AttritionModel`.
    judged_contacts, judged_left : the later part; 0 where there was too little to judge.
    log_loss_shares, log_loss_fatigue : on the later part; null where it was not judged.
    difference : mean of fatigue's log loss less that of shares, with its 95 % interval by
        customer; null where it was not judged.
    """

    contacts: dict[str, int]
    left: dict[str, int]
    shares: dict[str, float]
    rung: str
    judged_contacts: int = 0
    judged_left: int = 0
    log_loss_shares: float | None = None
    log_loss_fatigue: float | None = None
    difference: tuple[float, float, float] | None = None

    def to_json(self) -> dict[str, Any]:
        """A JSON object of the same names."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class AttritionFit:
    """A model that serves, and the report on it."""

    model: AttritionModel
    report: AttritionReport


def fit_attrition(
    rows: AttritionRows, *, channels: Sequence[str], shares: Sequence[float]
) -> AttritionFit:
    """Fit shares and slopes, judge the slopes on later contacts, refit what serves on all.

    The contacts that the judged models learn from had been followed before the first one
    that judges was sent, and their outcomes were known by then.

    Parameters
    ----------
    rows : all contacts that could be followed.
    channels : in configured order.
    shares : `unsubscribe_share` of each, in (0, 1] or 0.
    """
    priors = np.array(shares, dtype=np.float64)
    left = rows.left_us != NO_TIME
    n_sent = np.bincount(rows.channel, minlength=len(channels))
    n_left = np.bincount(rows.channel[left], minlength=len(channels))
    names = tuple(channels)
    if not len(rows):
        model, judged = configured_attrition(names, shares), _Verdict()
    else:
        judged = _judge(rows, names, priors)
        model = _fit_shares(rows, left, names, priors)
        if judged.difference is not None and judged.difference[2] < 0.0:
            model = _fit_slopes(rows, left, names, priors)
    drawn = _drawn_shares(n_sent, n_left, priors)
    report = AttritionReport(
        contacts=dict(zip(names, n_sent.tolist(), strict=True)),
        left=dict(zip(names, n_left.tolist(), strict=True)),
        shares=dict(zip(names, drawn.tolist(), strict=True)),
        rung=model.rung,
        judged_contacts=judged.contacts,
        judged_left=judged.left,
        log_loss_shares=judged.log_loss_shares,
        log_loss_fatigue=judged.log_loss_fatigue,
        difference=judged.difference,
    )
    return AttritionFit(model, report)


@dataclass(frozen=True, slots=True)
class _Verdict:
    contacts: int = 0
    left: int = 0
    log_loss_shares: float | None = None
    log_loss_fatigue: float | None = None
    difference: tuple[float, float, float] | None = None


def _judge(rows: AttritionRows, channels: tuple[str, ...], priors: Float64Array) -> _Verdict:
    border = int(np.quantile(rows.sent_us, 1.0 - LATER_SHARE, method="higher"))
    earlier = rows.take(rows.sent_us + window_us(FOLLOW_DAYS) <= border)
    later = rows.take(rows.sent_us >= border)
    known, left = earlier.left_us < border, later.left_us != NO_TIME
    if min(np.count_nonzero(known), np.count_nonzero(left)) < MIN_LEFT:
        return _Verdict()
    losses = [
        _log_losses(fit(earlier, known, channels, priors), later, left)
        for fit in (_fit_shares, _fit_slopes)
    ]
    found = clustered_mean(losses[1] - losses[0], later.cluster)
    return _Verdict(
        contacts=len(later),
        left=int(np.count_nonzero(left)),
        log_loss_shares=float(losses[0].mean()),
        log_loss_fatigue=float(losses[1].mean()),
        difference=(found.value, found.low, found.high),
    )


def _log_losses(
    model: AttritionModel, rows: AttritionRows, left: NDArray[np.bool_]
) -> Float64Array:
    log_odds = model.intercepts[rows.channel]
    log_odds = log_odds + (rows.z - model.means) / model.scales @ model.slopes
    return np.asarray(np.logaddexp(0.0, np.where(left, -log_odds, log_odds)))


def _drawn_shares(
    n_sent: NDArray[np.int64], n_left: NDArray[np.int64], priors: Float64Array
) -> Float64Array:
    return np.asarray((n_left + PSEUDO_CONTACTS * priors) / (n_sent + PSEUDO_CONTACTS))


def _fit_shares(
    rows: AttritionRows,
    left: NDArray[np.bool_],
    channels: tuple[str, ...],
    priors: Float64Array,
) -> AttritionModel:
    n_sent = np.bincount(rows.channel, minlength=len(channels))
    n_left = np.bincount(rows.channel[left], minlength=len(channels))
    return AttritionModel(
        channels=channels,
        rung="shares",
        intercepts=log_odds_of(_drawn_shares(n_sent, n_left, priors)),
        slopes=np.zeros(4),
        means=np.zeros(4),
        scales=np.ones(4),
    )


def _fit_slopes(
    rows: AttritionRows,
    left: NDArray[np.bool_],
    channels: tuple[str, ...],
    priors: Float64Array,
) -> AttritionModel:
    """Penalised logistic regression by Newton steps.

    The prior of each channel enters as `PSEUDO_CONTACTS` contacts to customers of mean
    fatigue and engagement, of whom the configured share left.
    """
    means, spread = rows.z.mean(axis=0), rows.z.std(axis=0)
    scales = np.where(spread > 0.0, spread, 1.0)
    n_channels = len(channels)
    z = (rows.z - means) / scales
    own = np.eye(n_channels)
    pseudo = np.hstack([own, np.zeros((n_channels, 4))])
    design = np.vstack([np.hstack([own[rows.channel], z]), pseudo])
    weight = np.concatenate([np.ones(len(rows)), np.full(n_channels, PSEUDO_CONTACTS)])
    target = np.concatenate([left.astype(np.float64), np.clip(priors, LEAST_SHARE, 1.0)])
    penalty = np.concatenate([np.zeros(n_channels), np.full(4, SLOPE_SD**-2)])
    start = _drawn_shares(
        np.bincount(rows.channel, minlength=n_channels),
        np.bincount(rows.channel[left], minlength=n_channels),
        priors,
    )
    beta = np.concatenate([log_odds_of(start), np.zeros(4)])
    for _ in range(_ROUNDS):
        probability = 1.0 / (1.0 + np.exp(-(design @ beta)))
        gradient = design.T @ (weight * (target - probability)) - penalty * beta
        curvature = weight * probability * (1.0 - probability)
        hessian = (design * curvature[:, None]).T @ design + np.diag(penalty + 1e-12)
        # Shares near 0 make long first steps; none may leave the range that shares have.
        step = np.clip(np.linalg.solve(hessian, gradient), -2.0, 2.0)
        beta = beta + step
        if np.abs(step).max() < _TOLERANCE:
            break
    limit = abs(float(log_odds_of(np.array([0.0]))[0]))
    return AttritionModel(
        channels=channels,
        rung="fatigue",
        intercepts=np.clip(beta[:n_channels], -limit, limit),
        slopes=beta[n_channels:],
        means=means,
        scales=scales,
    )
