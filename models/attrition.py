"""How likely a contact ends with the customer leaving the channel."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from features.errors import ArtifactError, describe
from features.kernels.feature import column_words

Float64Array = NDArray[np.float64]

SCHEMA_VERSION = 1
LEAST_SHARE = 1e-6
"""Shares and probabilities are at least this: nobody can be sure that a contact annoys no one."""

SHARED_COLUMNS = (
    "contacts_any_sent_30d",
    "contacts_any_opened_90d",
    "contacts_any_clicked_90d",
)
"""Fatigue and engagement over all channels: columns of `models.effect_features`."""

Rung = Literal["configured", "shares", "fatigue"]


def own_columns(channels: Sequence[str]) -> tuple[str, ...]:
    """The column that tells a channel's own fatigue, for each channel."""
    return tuple(f"contacts_{word}_sent_30d" for word in column_words(("any", *channels))[1:])


@dataclass(frozen=True, slots=True)
class AttritionModel:
    """P(the customer leaves the channel after a contact), by channel and by fatigue.

    logit u = intercept of the channel + slopes · (z - means) / scales, where z holds the
    shared columns and, last, the channel's own fatigue, all as log(1 + count).

    Attributes
    ----------
    channels : in configured order.
    rung : "configured" where no contact could be followed, "shares" where only channels
        differ, "fatigue" where customers do.
    intercepts : shape (C,), log-odds of a customer of mean fatigue and engagement.
    slopes, means, scales : shape (4,); slopes are 0 below the rung "fatigue".
    """

    channels: tuple[str, ...]
    rung: Rung
    intercepts: Float64Array
    slopes: Float64Array
    means: Float64Array
    scales: Float64Array

    def probability(self, x: Float64Array, names: Sequence[str]) -> Float64Array:
        """The probability for each customer and channel, shape (n, C).

        Parameters
        ----------
        x : effect features, shape (n, F).
        names : their names, as `models.effect_features.effect_features` gives them.

        Raises
        ------
        ArtifactError : a column is missing that the model reads.
        """
        log_odds = np.repeat(self.intercepts[None, :], len(x), axis=0)
        if self.rung == "fatigue":
            wanted = (*SHARED_COLUMNS, *own_columns(self.channels))
            _check_columns(wanted, names)
            place = {name: at for at, name in enumerate(names)}
            columns = x[:, [place[name] for name in wanted]]
            shared = (columns[:, :3] - self.means[:3]) / self.scales[:3]
            own = (columns[:, 3:] - self.means[3]) / self.scales[3]
            log_odds += (shared @ self.slopes[:3])[:, None] + own * self.slopes[3]
        probability: Float64Array = 1.0 / (1.0 + np.exp(-log_odds))
        return np.clip(probability, LEAST_SHARE, 1.0 - LEAST_SHARE)

    def to_json(self) -> dict[str, Any]:
        """A JSON object; its layout is named by schema_version."""
        return {
            "schema_version": SCHEMA_VERSION,
            "channels": list(self.channels),
            "rung": self.rung,
            "intercepts": self.intercepts.tolist(),
            "columns": [*SHARED_COLUMNS, "own"],
            "slopes": self.slopes.tolist(),
            "means": self.means.tolist(),
            "scales": self.scales.tolist(),
        }


def attrition_from_json(document: dict[str, Any]) -> AttritionModel:
    """Read what `AttritionModel.to_json` wrote.

    Raises
    ------
    ArtifactError : another layout, or numbers that are none.
    """
    try:
        fits = document["schema_version"] == SCHEMA_VERSION and document["columns"] == [
            *SHARED_COLUMNS,
            "own",
        ]
        arrays = {
            name: np.array(document[name], dtype=np.float64)
            for name in ("intercepts", "slopes", "means", "scales")
        }
        model = AttritionModel(
            channels=tuple(document["channels"]), rung=document["rung"], **arrays
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _unreadable("fields are missing or of another kind") from error
    sizes = {name: values.shape for name, values in arrays.items()}
    whole = {"intercepts": (len(model.channels),), **dict.fromkeys(("slopes", "means"), (4,))}
    if not fits or any(sizes[name] != size for name, size in whole.items()):
        raise _unreadable("its layout is of another version of winback")
    if sizes["scales"] != (4,) or not all(np.isfinite(one).all() for one in arrays.values()):
        raise _unreadable("it holds numbers that are none")
    return model


def configured_attrition(channels: Sequence[str], shares: Sequence[float]) -> AttritionModel:
    """The model that only repeats what the configuration says.

    Parameters
    ----------
    channels : in configured order.
    shares : `unsubscribe_share` of each.
    """
    return AttritionModel(
        channels=tuple(channels),
        rung="configured",
        intercepts=log_odds_of(np.array(shares, dtype=np.float64)),
        slopes=np.zeros(4),
        means=np.zeros(4),
        scales=np.ones(4),
    )


def log_odds_of(shares: Float64Array) -> Float64Array:
    """Log-odds of shares kept away from 0 and 1."""
    inside = np.clip(shares, LEAST_SHARE, 1.0 - LEAST_SHARE)
    return np.asarray(np.log(inside / (1.0 - inside)))


def _check_columns(wanted: Sequence[str], names: Sequence[str]) -> None:
    missing = [name for name in wanted if name not in names]
    if missing:
        raise ArtifactError(
            describe(
                "unsubscribe model",
                f"{len(missing)} columns that it reads are missing",
                examples=missing,
                expected="effect features of the channels that it was trained on",
                fix="run `winback train` after channels have changed",
            )
        )


def _unreadable(fault: str) -> ArtifactError:
    return ArtifactError(
        describe(
            "unsubscribe model",
            fault,
            expected=f"schema_version {SCHEMA_VERSION}",
            fix="run `winback train` with this version",
        )
    )
