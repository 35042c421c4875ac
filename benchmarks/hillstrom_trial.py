"""Hillstrom's e-mail test of 2008 as a sample of assignments: 64,000 customers, three arms.

A third each was drawn at random for an e-mail with men's goods, one with women's goods, or
none; visits, orders and spend were counted over two weeks. For the product that is one
channel with two offers. A return is an order, as in the retail preset, or a visit.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from models.action_value import ActionTerms
from models.contact_effect import EffectPriors
from training.effect_rungs import cross_fit_folds
from training.effect_sample import NO_CONTACT, EffectSample

Float64Array = NDArray[np.float64]
Int16Array = NDArray[np.int16]
Rows = NDArray[np.int64]

ACTIONS = ("email/mens", "email/womens")
MENS, WOMENS = 0, 1
MARGIN, COST = 0.4, 0.01
"""Profit = MARGIN * spend - COST per e-mail sent."""

CODES = {"No E-Mail": NO_CONTACT, "Mens E-Mail": MENS, "Womens E-Mail": WOMENS}
SHARE = 1.0 / 3.0
"""Probability of each arm."""

Return = Literal["order", "visit"]

TERMS = ActionTerms(np.zeros(2), np.zeros(2), np.full(2, COST), MARGIN)
PRIORS = EffectPriors(
    mean=np.full(2, 0.05),
    channel_sd=np.array([0.05]),
    offer_sd=np.array([0.10, 0.10]),
    moved=np.zeros(2, dtype=np.bool_),
)
"""The retail preset's e-mail; of either assortment nothing more is promised, 0 +- 0.10."""

_FOLDS = 5
_INVERSE_PENALTY = 0.1


@dataclass(frozen=True, slots=True)
class MailTest:
    """The file's customers, in its order.

    Attributes
    ----------
    x : features, shape (n, F).
    feature_names : of its columns.
    action : the arm: `NO_CONTACT` or a place in `ACTIONS`, shape (n,).
    visited, ordered : 0 or 1, shape (n,).
    spend : money within the two weeks, shape (n,).
    """

    x: Float64Array
    feature_names: tuple[str, ...]
    action: Int16Array
    visited: NDArray[np.int8]
    ordered: NDArray[np.int8]
    spend: Float64Array

    def __len__(self) -> int:
        return len(self.action)

    @property
    def profit(self) -> Float64Array:
        """Margin on the spend less the e-mail sent, shape (n,)."""
        return np.asarray(MARGIN * self.spend - COST * (self.action != NO_CONTACT))

    def returned(self, kind: Return) -> NDArray[np.int8]:
        """Who came back, shape (n,)."""
        return self.ordered if kind == "order" else self.visited


def read_mail_test(file: Path) -> MailTest:
    """The published file; history_segment, a coarser history, is left out."""
    table = pd.read_csv(file)
    columns: dict[str, Any] = {
        "recency": table["recency"],
        "history_log": np.log1p(table["history"]),
        "mens": table["mens"],
        "womens": table["womens"],
        "newbie": table["newbie"],
        "urban": table["zip_code"] == "Urban",
        "rural": table["zip_code"] == "Rural",
        "web": table["channel"] == "Web",
        "multichannel": table["channel"] == "Multichannel",
    }
    return MailTest(
        x=np.column_stack(list(columns.values())).astype(np.float64),
        feature_names=tuple(columns),
        action=table["segment"].map(CODES).to_numpy().astype(np.int16),
        visited=table["visit"].to_numpy(np.int8),
        ordered=table["conversion"].to_numpy(np.int8),
        spend=table["spend"].to_numpy(np.float64),
    )


def sample_rows(
    test: MailTest, learn: Rows, judge: Rows, *, kind: Return
) -> tuple[EffectSample, EffectSample]:
    """Rows to learn from and rows to judge on, as the product would see both.

    The natural return is a logistic regression on the controls to learn from (a few dozen of
    them order, too few for trees); those controls get theirs from the other folds. A return
    is worth the mean spend of all who returned among the rows to learn from.
    """
    returned = test.returned(kind)
    log_odds0 = _natural_log_odds(test, learn, returned)
    worth = float(test.spend[learn].sum() / returned[learn].sum())

    def rows(chosen: Rows) -> EffectSample:
        return EffectSample(
            x=test.x[chosen],
            feature_names=test.feature_names,
            log_odds0=log_odds0[chosen],
            order_value=np.full(len(chosen), worth),
            action=test.action[chosen],
            propensity=np.full(len(chosen), SHARE),
            returned=returned[chosen],
            profit=test.profit[chosen],
            left=np.zeros(len(chosen), dtype=np.int8),
            cluster=chosen.astype(np.uint64),
            as_of_us=np.zeros(len(chosen), dtype=np.int64),
            actions=ACTIONS,
        )

    return rows(learn), rows(judge)


def _natural_log_odds(test: MailTest, learn: Rows, returned: NDArray[np.int8]) -> Float64Array:
    """Logit of the return without contact, of every customer, shape (n,)."""
    controls = learn[test.action[learn] == NO_CONTACT]
    found = _fit_natural(test.x[controls], returned[controls])(test.x)
    fold = cross_fit_folds(controls.astype(np.uint64), folds=_FOLDS)
    for part in range(_FOLDS):
        others, own = controls[fold != part], controls[fold == part]
        found[own] = _fit_natural(test.x[others], returned[others])(test.x[own])
    return found


def _fit_natural(
    x: Float64Array, returned: NDArray[np.int8]
) -> Callable[[Float64Array], Float64Array]:
    scaler = StandardScaler().fit(x)
    model = LogisticRegression(C=_INVERSE_PENALTY).fit(scaler.transform(x), returned)

    def log_odds(rows: Float64Array) -> Float64Array:
        return np.asarray(model.decision_function(scaler.transform(rows)), dtype=np.float64)

    return log_odds
