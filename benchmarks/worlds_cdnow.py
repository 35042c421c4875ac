"""M3: the plain shop, calibrated to CDNOW, beside CDNOW itself.

Calibrated are the process (MBG/NBD, fitted on all 78 weeks), the days of first orders, the
spread of amounts, and demand in blocks of four weeks. Compared are cumulated repeat orders
week by week and, by a classifier, summaries of customers. Its price list is CDNOW's own
and no part of the simulator, so money is compared in doublings; the classifier that sees
cents is reported too.
"""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from benchmarks.worlds_orders import Orders, read_orders
from models.purchase_counts import collapse_counts
from models.purchase_process import PurchaseProcess, fit_process
from pipelines.simulate import SimulationPlan
from pipelines.simulate.clock import Season
from pipelines.simulate.nights import Population
from pipelines.simulate.plain import PlainShop

Floats = NDArray[np.float64]

FILE = "cdnow/CDNOW_master.txt"
START = date(1997, 1, 1)
BLOCKS = 20
ROUNDS = 3
TIMES = 5
"""Customers simulated for one real one, so that the curve's error is hardly luck."""

FIRST_WEEK = 4
"""Before it CDNOW has a few hundred repeats, too few for a share to mean much."""

SAME_CURVE, SAME_SHOP = 0.05, 0.65
SEED = 7
_AMOUNT_SHAPE = 3.74
_MONEY = ("amount_mean", "amount_first", "amount_total")


def read_cdnow(data: Path) -> Orders:
    """CDNOW's orders; several of a customer on one day are one."""
    days: dict[tuple[int, int], float] = {}
    lines = (data / FILE).read_text(encoding="utf-8").splitlines()[1:]
    for line in lines:
        customer, when, _, amount = line.split()
        day = (date(int(when[:4]), int(when[4:6]), int(when[6:8])) - START).days
        key = (int(customer), day)
        days[key] = days.get(key, 0.0) + float(amount)
    keys = sorted(days)
    _, position = np.unique([customer for customer, _ in keys], return_inverse=True)
    return Orders(
        customer=position.astype(np.int64),
        day=np.array([day for _, day in keys]),
        amount=np.array([days[key] for key in keys]),
    )


def compare_with_cdnow(data: Path) -> dict[str, Any]:
    """Calibrate, simulate, compare; the figures of M3."""
    real = read_cdnow(data)
    days = int(real.day.max()) + 1
    fitted = _fit(real, days)
    first = _first_days(real)
    shop = PlainShop(
        r=fitted.r,
        alpha=fitted.alpha,
        a=fitted.a,
        b=fitted.b,
        leaves_at_first=True,
        basket=_mean_amount(real),
        basket_shape=_AMOUNT_SHAPE,
        signup_quantiles=tuple(np.quantile(first + 0.5, np.linspace(0, 1, 201))),
    )
    blocks, edges = np.ones(BLOCKS), np.arange(BLOCKS + 1) * days / BLOCKS
    for seed in range(SEED, SEED + ROUNDS):  # the last round is judged on luck of its own
        season = Season(yearly=0.0, peak_day=1, weekdays=(1.0,) * 7, blocks=tuple(blocks))
        plan = SimulationPlan(
            preset="retail",
            customers=TIMES * len(first),
            days=days,
            end=START + timedelta(days=days),
            seed=seed,
        )
        drawn = read_orders(Population(plan, business=replace(shop, season=season).business()))
        seen = [np.histogram(_repeat_days(orders), edges)[0] for orders in (real, drawn)]
        judged = blocks.copy()
        blocks = blocks * TIMES * seen[0] / seen[1]
    weeks = 7 * np.arange(FIRST_WEEK, days // 7 + 1)
    curves = [np.searchsorted(np.sort(_repeat_days(one)), weeks) for one in (real, drawn)]
    errors = curves[1] / (TIMES * curves[0]) - 1
    as_many = drawn.customer < len(first)
    drawn = Orders(drawn.customer[as_many], drawn.day[as_many], drawn.amount[as_many])
    return {
        "customers": len(first),
        "weeks": days // 7,
        "process": {name: getattr(fitted, name) for name in ("r", "alpha", "a", "b")},
        "demand_by_block": judged.tolist(),
        "repeats": {"real": int(curves[0][-1]), "simulated": int(curves[1][-1]) / TIMES},
        "curve_error": float(np.abs(errors).max()),
        "curve_errors_every_4_weeks": np.round(errors[::4], 4).tolist(),
        "curve_error_from_week": FIRST_WEEK,
        "auc": tell_apart(real, drawn, days, cents=False),
        "auc_with_cents": tell_apart(real, drawn, days, cents=True),
    }


def _first_days(orders: Orders) -> NDArray[np.int64]:
    first = np.full(int(orders.customer.max()) + 1, np.iinfo(np.int64).max)
    np.minimum.at(first, orders.customer, orders.day)
    return first


def _repeat_days(orders: Orders) -> NDArray[np.int64]:
    return orders.day[orders.day > _first_days(orders)[orders.customer]]


def _fit(orders: Orders, days: int) -> PurchaseProcess:
    first = _first_days(orders)
    repeats = np.asarray(np.bincount(orders.customer) - 1.0, dtype=np.float64)
    last = np.zeros(len(first))
    np.maximum.at(last, orders.customer, orders.day)
    age = np.asarray(days - 1.0 - first, dtype=np.float64)
    return fit_process(collapse_counts(repeats, last - first, age), process="mbg_nbd")


def _mean_amount(orders: Orders) -> float:
    """Mean over customers of their mean amount."""
    count = np.bincount(orders.customer)
    return float((np.bincount(orders.customer, weights=orders.amount) / count).mean())


def _summaries(orders: Orders, days: int) -> pd.DataFrame:
    table = pd.DataFrame(
        {"customer": orders.customer, "day": orders.day, "amount": orders.amount}
    ).sort_values(["customer", "day"])
    table["gap"] = table.groupby("customer").day.diff()
    by = table.groupby("customer")
    return pd.DataFrame(
        {
            "orders": by.day.size(),
            "first_day": by.day.min(),
            "silence": days - by.day.max(),
            "gap_mean": by.gap.mean(),
            "gap_spread": by.gap.std(),
            "gap_first": table[table.gap.notna()].groupby("customer").gap.first(),
            "amount_mean": by.amount.mean(),
            "amount_first": by.amount.first(),
            "amount_total": by.amount.sum(),
        }
    ).fillna(-1.0)


def tell_apart(real: Orders, drawn: Orders, days: int, *, cents: bool) -> float:
    """AUC of a classifier that tells real customers from simulated ones, cross-validated."""
    tables = [_summaries(orders, days) for orders in (real, drawn)]
    if not cents:
        for table in tables:
            for name in _MONEY:
                table[name] = np.round(np.log2(np.maximum(table[name], 1.0)))
    rows = np.vstack([table.to_numpy(dtype=np.float64) for table in tables])
    label = np.repeat([1, 0], [len(table) for table in tables])
    forest = lgb.LGBMClassifier(n_estimators=100, num_leaves=8, n_jobs=1, verbose=-1)
    folds = StratifiedKFold(4, shuffle=True, random_state=SEED)
    guess = cross_val_predict(forest, rows, label, cv=folds, method="predict_proba")
    return float(roc_auc_score(label, guess[:, 1]))
