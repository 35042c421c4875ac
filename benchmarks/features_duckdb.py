"""The benchmark's features in DuckDB SQL, in the fastest formulation we found.

One grouping over all events and small ones over the few orders, refunds and categories,
joined at the end. Of the formulations tried (2 and 10 million events, docs/adr/0003) these
lost: a single grouping with everything in FILTER clauses; binning by (customer, type,
window) or by (customer, day) first and summing the bins; count(DISTINCT day) or a lag()
over the sorted files for active days, where a bit string per customer is faster;
packing the window counters into one sum; ENUM event types.
"""

from collections.abc import Sequence

from benchmarks.features_data import SPEC
from features.kernels.feature import DAY_US, HALF_LIVES, WINDOW_DAYS, WINDOW_NAMES

MAX_DAYS = 1024
"""Bits in a customer's string of active days: more than the generated span."""

_WINDOWS = dict(zip(WINDOW_NAMES, (*WINDOW_DAYS, None), strict=True))
_ACTIVE = "event_type <> 'refund'"


def query(files: Sequence[str], *, as_of_us: int) -> str:
    """One SQL statement that yields customer_id and a FLOAT column per feature."""
    instant = f"make_timestamptz({as_of_us})"
    scan = f"read_parquet({list(files)!r}, hive_partitioning = false)"
    return f"""
    WITH visible AS (
        SELECT customer_id, event_type, amount, discount, category,
            {as_of_us} - epoch_us(occurred_at) AS age_us,
            ({as_of_us} - epoch_us(occurred_at) - 1) // {DAY_US} AS day
        FROM {scan}
        WHERE occurred_at < {instant} AND arrived_at < {instant}
    ),
    a AS ({_activity()}),
    o AS ({_orders()}),
    r AS ({_refunds()}),
    c AS ({_categories()})
    SELECT a.customer_id, {", ".join(_features())}
    FROM a LEFT JOIN o USING (customer_id) LEFT JOIN r USING (customer_id)
        LEFT JOIN c USING (customer_id)
    """


def feature_names() -> tuple[str, ...]:
    """The features the query yields, in its order."""
    return tuple(column.rsplit(" AS ", 1)[1] for column in _features())


def _activity() -> str:
    types = [
        f"min(age_us) FILTER (WHERE event_type = '{name}') AS last_{name}"
        for name in SPEC.event_types
    ]
    counts = [
        f"count(*) FILTER (WHERE {_ACTIVE}{'' if days is None else f' AND day < {days}'})"
        f" AS activity_{name}"
        for name, days in _WINDOWS.items()
    ]
    decays = [f"sum(w{days}) FILTER (WHERE {_ACTIVE}) AS activity_w{days}" for days in HALF_LIVES]
    return f"""
    SELECT customer_id, max(age_us) AS first_us, {", ".join([*types, *counts, *decays])},
        bitstring_agg(day, 0, {MAX_DAYS - 1}) FILTER (WHERE {_ACTIVE}) AS days
    FROM (SELECT customer_id, event_type, age_us, day, {_weights("day")} FROM visible)
    GROUP BY customer_id
    """


def _weights(age: str) -> str:
    """Decay weights; half-lives that double are squares of one another."""
    return (
        f"pow(2.0, -{age} / 240.0) AS w240, w240 * w240 AS w120, w120 * w120 AS w60,"
        f" w60 * w60 AS w30, pow(2.0, -{age} / 14.0) AS w14"
    )


def _orders() -> str:
    columns = [
        f"{aggregate}{'' if days is None else f' FILTER (WHERE age <= {days})'} AS {stem}_{name}"
        for aggregate, stem in (("count(*)", "orders"), ("sum(amount)", "spend"))
        for name, days in _WINDOWS.items()
    ]
    columns += [
        f"sum({factor}) AS {stem}_w{days}"
        for stem, times in (("orders", ""), ("spend", " * amount"))
        for days in HALF_LIVES
        for factor in (f"w{days}{times}",)
    ]
    return f"""
    SELECT customer_id, {", ".join(columns)},
        stddev_samp(amount) AS amount_sd, max(amount) AS amount_max, min(amount) AS amount_min,
        arg_max(amount, age) AS amount_first, arg_min(amount, age) AS amount_last,
        sum(discount) FILTER (WHERE age <= 365) AS discount_365d,
        sum(discount) AS discount_lifetime, max(age) AS first_order, min(age) AS last_order,
        avg(gap) AS gap_mean, stddev_samp(gap) AS gap_sd, max(gap) AS gap_max,
        min(gap) AS gap_min, max(gap) FILTER (WHERE back = 1) AS gap_last,
        avg(gap) FILTER (WHERE back <= 3) AS gap_recent, sum(ln(1 + gap)) AS gap_logs,
        count(gap) AS gaps
    FROM (
        SELECT *, {_weights("age")}, lead(age) OVER newest_first - age AS gap,
            row_number() OVER newest_first AS back
        FROM (
            SELECT customer_id, age_us / {DAY_US}.0::DOUBLE AS age, coalesce(amount, 0) AS amount,
                coalesce(discount, 0) AS discount
            FROM visible WHERE event_type = 'purchase'
        )
        WINDOW newest_first AS (PARTITION BY customer_id ORDER BY age)
    )
    GROUP BY customer_id
    """


def _refunds() -> str:
    return f"""
    SELECT customer_id, count(*) AS refunds_lifetime, sum(abs(amount)) AS refunded_lifetime,
        count(*) FILTER (WHERE age_us <= {365 * DAY_US}) AS refunds_365d,
        sum(abs(amount)) FILTER (WHERE age_us <= {365 * DAY_US}) AS refunded_365d
    FROM visible WHERE event_type = 'refund' AND amount IS NOT NULL GROUP BY customer_id
    """


def _categories() -> str:
    return f"""
    SELECT customer_id, count(*) AS categories_lifetime, max(n) / sum(n) AS category_top_share,
        count(*) FILTER (WHERE age_us <= {90 * DAY_US}) AS categories_90d,
        count(*) FILTER (WHERE age_us <= {365 * DAY_US}) AS categories_365d
    FROM (
        SELECT customer_id, category, count(*) AS n, min(age_us) AS age_us
        FROM visible WHERE category IS NOT NULL GROUP BY ALL
    )
    GROUP BY customer_id
    """


def _features() -> list[str]:
    """The final columns, each `expression::FLOAT AS name`."""
    features: dict[str, str] = {}
    orders = [f"last_{name}" for name in SPEC.orders]
    active = [f"last_{name}" for name in SPEC.activity]
    features["recency_days_activity"] = f"least({', '.join(active)}) / {DAY_US}"
    features["recency_days_order"] = f"least({', '.join(orders)}) / {DAY_US}"
    for name in SPEC.event_types:
        features[f"recency_days_type_{name}"] = f"last_{name} / {DAY_US}"
    features["tenure_days"] = f"first_us / {DAY_US}"
    features["tenure_days_order"] = "first_order"
    for name, days in _WINDOWS.items():
        features[f"orders_{name}"] = f"coalesce(orders_{name}, 0)"
        features[f"activity_{name}"] = f"activity_{name}"
        mask = f"'{'1' * (days or MAX_DAYS):0<{MAX_DAYS}}'::BIT"
        features[f"active_days_{name}"] = f"coalesce(bit_count(days & {mask}), 0)"
        features[f"spend_{name}"] = f"coalesce(spend_{name}, 0)"
    features |= _value_features() | _rhythm_features()
    for days in HALF_LIVES:
        for stem in ("orders", "spend", "activity"):
            features[f"decayed_{stem}_{days}d"] = f"coalesce({stem}_w{days}, 0)"
    for stem in ("orders", "spend", "activity", "active_days"):
        pairs = ((7, 30), (30, 90), (90, 365)) if stem == "activity" else ((30, 90), (90, 365))
        for short, long in pairs:
            left, right = (features[f"{stem}_{days}d"] for days in (short, long))
            features[f"trend_{stem}_{short}d_{long}d"] = (
                f"({left}) / {short} / nullif(({right}) / {long}, 0)"
            )
    for name in ("categories_90d", "categories_365d", "categories_lifetime"):
        features[name] = f"coalesce({name}, 0)"
    features["category_top_share"] = "category_top_share"
    for name, limit in (("30d", 30), ("90d", 90), ("lifetime", MAX_DAYS)):
        terms = [
            f"coalesce(last_{kind} <= {limit * DAY_US}, false)::INT" for kind in SPEC.event_types
        ]
        features[f"event_types_{name}"] = " + ".join(terms)
    return [f"({expression})::FLOAT AS {name}" for name, expression in features.items()]


def _value_features() -> dict[str, str]:
    features = {
        "order_amount_mean": "spend_lifetime / orders_lifetime",
        "order_amount_mean_90d": "spend_90d / nullif(orders_90d, 0)",
        "order_amount_mean_365d": "spend_365d / nullif(orders_365d, 0)",
        "order_lines_mean": "CASE WHEN orders_lifetime > 0 THEN 1 END",
    }
    for name in ("sd", "max", "min", "first", "last"):
        features[f"order_amount_{name}"] = f"amount_{name}"
    for name in ("365d", "lifetime"):
        refunded, discount = f"coalesce(refunded_{name}, 0)", f"coalesce(discount_{name}, 0)"
        features[f"refunds_{name}"] = f"coalesce(refunds_{name}, 0)"
        features[f"refund_share_{name}"] = f"{refunded} / nullif(spend_{name}, 0)"
        features[f"discount_share_{name}"] = f"{discount} / nullif(spend_{name} + {discount}, 0)"
    return features


def _rhythm_features() -> dict[str, str]:
    shrunken = "exp((2 * ln(31.0) + coalesce(gap_logs, 0)) / (2 + gaps)) - 1"
    return {
        **{f"gap_days_{name}": f"gap_{name}" for name in ("mean", "sd", "max", "min", "last")},
        "gap_cv": "gap_sd / nullif(gap_mean, 0)",
        "gap_last_ratio": "gap_last / nullif(gap_mean, 0)",
        "gap_recent_ratio": "gap_recent / nullif(gap_mean, 0)",
        "overdue_ratio": "last_order / nullif(gap_mean, 0)",
        "overdue_max_ratio": "last_order / nullif(gap_max, 0)",
        "gap_days_shrunken": shrunken,
        "overdue_shrunken_ratio": f"last_order / ({shrunken})",
    }
