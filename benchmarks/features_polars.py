"""The benchmark's features in Polars (streaming), in the fastest formulation we found.

Active days come from the files' order: a row opens a day if its day or customer differs
from the row's before. Of the formulations tried (2 and 10 million events, docs/adr/0003)
these lost: n_unique of days per window; grouping by (customer, day) first; a bit mask of
days per customer; grouping by the number of the run instead of the customer's id.
"""

import os
from collections.abc import Sequence
from typing import Any

from benchmarks.features_data import SPEC
from features.kernels.feature import DAY_US, HALF_LIVES, WINDOW_DAYS, WINDOW_NAMES

os.environ.setdefault("POLARS_MAX_THREADS", "2")

import polars as pl

_WINDOWS = dict(zip(WINDOW_NAMES, (*WINDOW_DAYS, None), strict=True))


def compute(files: Sequence[str], *, as_of_us: int) -> pl.DataFrame:
    """customer_id and a Float32 column per feature."""
    instant = pl.lit(as_of_us).cast(pl.Datetime("us", "UTC"))
    age_us = as_of_us - pl.col("occurred_at").to_physical()
    visible = (
        pl.scan_parquet(list(files), hive_partitioning=False)
        .filter((pl.col("occurred_at") < instant) & (pl.col("arrived_at") < instant))
        .with_columns(age_us=age_us, day=((age_us - 1) // DAY_US).cast(pl.Int32))
    )
    parts = pl.collect_all(
        [_activity(visible), _orders(visible), _refunds(visible), _categories(visible)],
        engine="streaming",
    )
    activity, orders, refunds, categories = (part.lazy() for part in parts)
    return (
        activity.join(refunds, on="customer_id", how="full", coalesce=True)
        .join(orders, on="customer_id", how="left")
        .join(categories, on="customer_id", how="left")
        .select("customer_id", *_features())
        .collect(engine="streaming")
    )


def _weighted(frame: pl.LazyFrame, age: str) -> pl.LazyFrame:
    """Add decay weights; half-lives that double are squares of one another."""
    frame = frame.with_columns(w240=2.0 ** (-pl.col(age) / 240.0), w14=2.0 ** (-pl.col(age) / 14.0))
    for days in (120, 60, 30):
        frame = frame.with_columns((pl.col(f"w{2 * days}") ** 2).alias(f"w{days}"))
    return frame


def _within(name: str, age: str, days: int | None) -> pl.Expr:
    column = pl.col(name)
    return column if days is None else column.filter(pl.col(age) <= days)


def _activity(visible: pl.LazyFrame) -> pl.LazyFrame:
    active = visible.filter(pl.col("event_type").is_in(SPEC.activity))
    day, customer = pl.col("day"), pl.col("customer_id")
    opens = ((day != day.shift(1)) | (customer != customer.shift(1))).fill_null(value=True)
    columns = [pl.col("age_us").max().alias("first_active_us")]
    for name, days in _WINDOWS.items():
        inside = pl.lit(value=True) if days is None else day < days
        columns.append((inside & pl.col("opens")).sum().alias(f"active_days_{name}"))
        columns.append(
            (pl.len() if days is None else inside.sum()).alias(f"activity_{name}"),
        )
    columns += [pl.col(f"w{days}").sum().alias(f"activity_w{days}") for days in HALF_LIVES]
    columns += [
        pl.col("age_us").filter(pl.col("event_type") == name).min().alias(f"last_{name}")
        for name in SPEC.activity
    ]
    return _weighted(active.with_columns(opens=opens), "day").group_by("customer_id").agg(columns)


def _orders(visible: pl.LazyFrame) -> pl.LazyFrame:
    lines = visible.filter(pl.col("event_type") == "purchase").select(
        "customer_id",
        pl.col("amount").fill_null(0.0),
        pl.col("discount").fill_null(0.0),
        age=pl.col("age_us") / DAY_US,
    )
    # Newest last within a customer, as the files are.
    age, customer = pl.col("age"), pl.col("customer_id")
    gap = pl.when(customer == customer.shift(1)).then(age.shift(1) - age)
    lines = _weighted(lines.with_columns(gap=gap), "age")
    columns = [
        expression
        for name, days in _WINDOWS.items()
        for expression in (
            _within("age", "age", days).len().alias(f"orders_{name}"),
            _within("amount", "age", days).sum().alias(f"spend_{name}"),
        )
    ]
    for days in HALF_LIVES:
        weight = pl.col(f"w{days}")
        columns.append(weight.sum().alias(f"orders_w{days}"))
        columns.append((weight * pl.col("amount")).sum().alias(f"spend_w{days}"))
    amount, gaps = pl.col("amount"), pl.col("gap")
    columns += [
        amount.std().alias("amount_sd"),
        amount.max().alias("amount_max"),
        amount.min().alias("amount_min"),
        amount.first().alias("amount_first"),
        amount.last().alias("amount_last"),
        _within("discount", "age", 365).sum().alias("discount_365d"),
        pl.col("discount").sum().alias("discount_lifetime"),
        age.max().alias("first_order"),
        age.min().alias("last_order"),
        gaps.mean().alias("gap_mean"),
        gaps.std().alias("gap_sd"),
        gaps.max().alias("gap_max"),
        gaps.min().alias("gap_min"),
        gaps.last().alias("gap_last"),
        gaps.tail(3).mean().alias("gap_recent"),
        gaps.log1p().sum().alias("gap_logs"),
        gaps.count().alias("gaps"),
    ]
    return lines.group_by("customer_id").agg(columns)


def _refunds(visible: pl.LazyFrame) -> pl.LazyFrame:
    refunds = visible.filter(pl.col("event_type") == "refund").with_columns(
        age=pl.col("age_us") / DAY_US, money=pl.col("amount").abs()
    )
    return refunds.group_by("customer_id").agg(
        pl.col("age_us").max().alias("first_refund_us"),
        pl.col("age_us").min().alias("last_refund"),
        pl.col("money").count().alias("refunds_lifetime"),
        _within("money", "age", 365).count().alias("refunds_365d"),
        pl.col("money").sum().alias("refunded_lifetime"),
        _within("money", "age", 365).sum().alias("refunded_365d"),
    )


def _categories(visible: pl.LazyFrame) -> pl.LazyFrame:
    pairs = (
        visible.filter(pl.col("category").is_not_null())
        .group_by("customer_id", "category")
        .agg(pl.len().alias("n"), pl.col("day").min())
    )
    return pairs.group_by("customer_id").agg(
        pl.len().alias("categories_lifetime"),
        (pl.col("day") < 90).sum().alias("categories_90d"),
        (pl.col("day") < 365).sum().alias("categories_365d"),
        (pl.col("n").max() / pl.col("n").sum()).alias("category_top_share"),
    )


def _features() -> list[pl.Expr]:
    c = pl.col
    zero: dict[str, Any] = {}
    for name in _WINDOWS:
        for stem in ("orders", "activity", "active_days", "spend"):
            zero[f"{stem}_{name}"] = c(f"{stem}_{name}").fill_null(0)
    for days in HALF_LIVES:
        for stem in ("orders", "spend", "activity"):
            zero[f"decayed_{stem}_{days}d"] = c(f"{stem}_w{days}").fill_null(0)
    for name in ("90d", "365d", "lifetime"):
        zero[f"categories_{name}"] = c(f"categories_{name}").fill_null(0)
    features = zero | _time_features() | _value_features() | _rhythm_features()
    for stem in ("orders", "spend", "activity", "active_days"):
        pairs = ((7, 30), (30, 90), (90, 365)) if stem == "activity" else ((30, 90), (90, 365))
        for short, long in pairs:
            rates = [zero[f"{stem}_{days}d"] / days for days in (short, long)]
            features[f"trend_{stem}_{short}d_{long}d"] = _ratio(*rates)
    features["category_top_share"] = c("category_top_share")
    return [
        expression.cast(pl.Float32).fill_null(float("nan")).alias(name)
        for name, expression in features.items()
    ]


def _ratio(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    return pl.when(whole > 0).then(part / whole)


def _time_features() -> dict[str, pl.Expr]:
    last = {name: pl.col(f"last_{name}") for name in SPEC.event_types}
    features = {f"recency_days_type_{name}": age / DAY_US for name, age in last.items()}
    active = pl.min_horizontal(*(last[name] for name in SPEC.activity))
    features["recency_days_activity"] = active / DAY_US
    features["recency_days_order"] = pl.col("last_order")
    features["tenure_days"] = pl.max_horizontal("first_active_us", "first_refund_us") / DAY_US
    features["tenure_days_order"] = pl.col("first_order")
    for name, days in (("30d", 30), ("90d", 90), ("lifetime", 100_000)):
        inside = [(age <= days * DAY_US).fill_null(value=False) for age in last.values()]
        features[f"event_types_{name}"] = pl.sum_horizontal(*inside)
    return features


def _value_features() -> dict[str, pl.Expr]:
    c = pl.col
    features = {
        "order_amount_mean": c("spend_lifetime") / c("orders_lifetime"),
        "order_amount_mean_90d": _ratio(c("spend_90d"), c("orders_90d")),
        "order_amount_mean_365d": _ratio(c("spend_365d"), c("orders_365d")),
        "order_lines_mean": pl.when(c("orders_lifetime") > 0).then(1.0),
    }
    for name in ("sd", "max", "min", "first", "last"):
        features[f"order_amount_{name}"] = c(f"amount_{name}")
    for name in ("365d", "lifetime"):
        spend, discount = c(f"spend_{name}"), c(f"discount_{name}")
        refunded = c(f"refunded_{name}").fill_null(0)
        features[f"refunds_{name}"] = c(f"refunds_{name}").fill_null(0)
        features[f"refund_share_{name}"] = _ratio(refunded, spend)
        features[f"discount_share_{name}"] = _ratio(discount, spend + discount)
    return features


def _rhythm_features() -> dict[str, pl.Expr]:
    c = pl.col
    logs = c("gap_logs").fill_null(0) + 2.0 * pl.lit(31.0).log()
    shrunken = (logs / (2.0 + c("gaps"))).exp() - 1.0
    names = ("mean", "sd", "max", "min", "last")
    return {
        **{f"gap_days_{name}": c(f"gap_{name}") for name in names},
        "gap_cv": _ratio(c("gap_sd"), c("gap_mean")),
        "gap_last_ratio": _ratio(c("gap_last"), c("gap_mean")),
        "gap_recent_ratio": _ratio(c("gap_recent"), c("gap_mean")),
        "overdue_ratio": _ratio(c("last_order"), c("gap_mean")),
        "overdue_max_ratio": _ratio(c("last_order"), c("gap_max")),
        "gap_days_shrunken": shrunken,
        "overdue_shrunken_ratio": c("last_order") / shrunken,
    }
