"""An independent, slow computation of every feature, written from the manifest's meanings.

Works on pandas tables with readable values, one customer and one as-of at a time. It
shares nothing with the kernels but the names of the features.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.spec import FeatureSpec

DAY = pd.Timedelta(days=1)


@dataclass(frozen=True)
class Tables:
    """Random input of one bucket: pandas tables with the columns of the warehouse."""

    events: pd.DataFrame
    contacts: pd.DataFrame
    profiles: pd.DataFrame


def oracle_matrix(tables: Tables, *, spec: FeatureSpec, as_ofs: list[pd.Timestamp]) -> pd.DataFrame:
    """All features of all visible customers; indexed by customer_id and as_of."""
    rows = []
    for customer in sorted(set(tables.events["customer_id"]), key=lambda name: name.encode()):
        mine = Tables(
            *(
                table[table["customer_id"] == customer]
                for table in (tables.events, tables.contacts, tables.profiles)
            )
        )
        for as_of in as_ofs:
            features = oracle_row(mine, spec=spec, as_of=as_of)
            if features is not None:
                rows.append({"customer_id": customer, "as_of": as_of, **features})
    return pd.DataFrame(rows).set_index(["customer_id", "as_of"])


def oracle_row(
    tables: Tables, *, spec: FeatureSpec, as_of: pd.Timestamp
) -> dict[str, float] | None:
    """The features of one customer; null if no event is visible."""
    known = tables.events[tables.events["event_type"].isin(spec.event_types)]
    seen = known[(known["occurred_at"] < as_of) & (known["arrived_at"] < as_of)]
    if seen.empty:
        return None
    seen = seen.sort_values(["occurred_at", "event_type", "order_id", "amount", "discount"])
    seen = seen.assign(age=(as_of - seen["occurred_at"]) / DAY)
    activity = seen[seen["event_type"].isin(spec.activity)]
    orders = orders_of(seen[seen["event_type"].isin(spec.orders)])
    refunds = seen[seen["event_type"].isin(spec.refunds) & seen["amount"].notna()]
    profile = last_profile(tables.profiles, as_of)
    features: dict[str, float] = {}
    features |= recency_features(seen, spec)
    features |= tenure_features(seen, orders, profile, as_of)
    features |= frequency_features(activity, orders)
    features |= value_features(orders, refunds)
    features |= rhythm_features(orders)
    features |= decay_features(activity, orders)
    features |= trend_features(features)
    features |= breadth_features(seen)
    features |= contact_features(tables.contacts, spec, as_of)
    features |= static_features(profile, spec)
    return features


def orders_of(lines: pd.DataFrame) -> pd.DataFrame:
    """Orders: successive lines with one order id belong together."""
    orders: list[dict[str, object]] = []
    for line in lines.itertuples():
        amount = 0.0 if pd.isna(line.amount) else line.amount
        discount = 0.0 if pd.isna(line.discount) else line.discount
        if orders and not pd.isna(line.order_id) and orders[-1]["order_id"] == line.order_id:
            orders[-1]["amount"] += amount  # type: ignore[operator]
            orders[-1]["discount"] += discount  # type: ignore[operator]
            orders[-1]["lines"] += 1  # type: ignore[operator]
            continue
        orders.append(
            {
                "order_id": line.order_id,
                "age": line.age,
                "amount": amount,
                "discount": discount,
                "lines": 1,
            }
        )
    return pd.DataFrame(orders, columns=["order_id", "age", "amount", "discount", "lines"])


def last_profile(versions: pd.DataFrame, as_of: pd.Timestamp) -> pd.Series | None:
    """The customer's record as known at the as-of."""
    seen = versions[(versions["changed_at"] < as_of) & (versions["arrived_at"] < as_of)]
    if seen.empty:
        return None
    return seen.sort_values(["changed_at", "arrived_at"]).iloc[-1]


def windows() -> dict[str, float]:
    """Lengths of the windows by name."""
    return {"7d": 7, "30d": 30, "90d": 90, "180d": 180, "365d": 365, "lifetime": np.inf}


def within(table: pd.DataFrame, days: float) -> pd.DataFrame:
    """Rows in [as_of - days, as_of)."""
    return table[table["age"] <= days]


def divided(numerator: float, denominator: float) -> float:
    """A ratio, NaN unless the denominator is positive."""
    return numerator / denominator if denominator > 0 else np.nan


def recency_features(seen: pd.DataFrame, spec: FeatureSpec) -> dict[str, float]:
    groups = {"activity": spec.activity, "order": spec.orders}
    groups |= {f"type_{name}": (name,) for name in spec.event_types}
    return {
        f"recency_days_{name}": seen.loc[seen["event_type"].isin(types), "age"].min()
        for name, types in groups.items()
    }


def tenure_features(
    seen: pd.DataFrame, orders: pd.DataFrame, profile: pd.Series | None, as_of: pd.Timestamp
) -> dict[str, float]:
    signup = np.nan
    if profile is not None and not pd.isna(profile["signup_at"]) and profile["signup_at"] < as_of:
        signup = (as_of - profile["signup_at"]) / DAY
    return {
        "tenure_days": seen["age"].max(),
        "tenure_days_signup": signup,
        "tenure_days_order": orders["age"].max(),
    }


def frequency_features(activity: pd.DataFrame, orders: pd.DataFrame) -> dict[str, float]:
    features: dict[str, float] = {}
    for name, days in windows().items():
        recent = within(activity, days)
        features[f"orders_{name}"] = len(within(orders, days))
        features[f"activity_{name}"] = len(recent)
        # Period k back is (as_of - k - 1 days, as_of - k days]: the age rounded up.
        features[f"active_days_{name}"] = np.ceil(recent["age"]).nunique()
    return features


def value_features(orders: pd.DataFrame, refunds: pd.DataFrame) -> dict[str, float]:
    amounts = orders["amount"].astype(float)
    features: dict[str, float] = {
        f"spend_{name}": within(orders, days)["amount"].sum() for name, days in windows().items()
    }
    features |= {
        "order_amount_mean": amounts.mean(),
        "order_amount_sd": amounts.std(ddof=1),
        "order_amount_max": amounts.max(),
        "order_amount_min": amounts.min(),
        "order_amount_first": amounts.iloc[0] if len(amounts) else np.nan,
        "order_amount_last": amounts.iloc[-1] if len(amounts) else np.nan,
        "order_amount_mean_90d": within(orders, 90)["amount"].astype(float).mean(),
        "order_amount_mean_365d": within(orders, 365)["amount"].astype(float).mean(),
        "order_lines_mean": orders["lines"].astype(float).mean(),
        "refunds_365d": len(within(refunds, 365)),
        "refunds_lifetime": len(refunds),
    }
    for name, days in (("365d", 365), ("lifetime", np.inf)):
        spend = within(orders, days)["amount"].sum()
        discount = within(orders, days)["discount"].sum()
        refunded = within(refunds, days)["amount"].abs().sum()
        features[f"refund_share_{name}"] = divided(refunded, spend)
        features[f"discount_share_{name}"] = divided(discount, spend + discount)
    return features


def rhythm_features(orders: pd.DataFrame) -> dict[str, float]:
    gaps = -orders["age"].astype(float).diff().iloc[1:]
    recency = orders["age"].min()
    mean = gaps.mean()
    last = gaps.iloc[-1] if len(gaps) else np.nan
    recent = gaps.iloc[-3:].mean()
    shrunken = np.nan
    if len(orders):
        shrunken = np.exp((2 * np.log(31) + np.log(1 + gaps).sum()) / (2 + len(gaps))) - 1
    return {
        "gap_days_mean": mean,
        "gap_days_sd": gaps.std(ddof=1),
        "gap_cv": divided(gaps.std(ddof=1), mean),
        "gap_days_max": gaps.max(),
        "gap_days_min": gaps.min(),
        "gap_days_last": last,
        "gap_last_ratio": divided(last, mean),
        "gap_recent_ratio": divided(recent, mean),
        "overdue_ratio": divided(recency, mean),
        "overdue_max_ratio": divided(recency, gaps.max()),
        "gap_days_shrunken": shrunken,
        "overdue_shrunken_ratio": recency / shrunken,
    }


def decay_features(activity: pd.DataFrame, orders: pd.DataFrame) -> dict[str, float]:
    features: dict[str, float] = {}
    ages = orders["age"].astype(float)
    periods = np.ceil(activity["age"]) - 1
    for half_life in (14, 30, 60, 120, 240):
        weights = 0.5 ** (ages / half_life)
        features[f"decayed_orders_{half_life}d"] = weights.sum()
        features[f"decayed_spend_{half_life}d"] = (weights * orders["amount"].astype(float)).sum()
        features[f"decayed_activity_{half_life}d"] = (0.5 ** (periods / half_life)).sum()
    return features


def trend_features(features: dict[str, float]) -> dict[str, float]:
    pairs = [(name, 30, 90) for name in ("orders", "spend", "activity", "active_days")]
    pairs += [(name, 90, 365) for name in ("orders", "spend", "activity", "active_days")]
    pairs.append(("activity", 7, 30))
    return {
        f"trend_{name}_{short}d_{long}d": divided(
            features[f"{name}_{short}d"] / short, features[f"{name}_{long}d"] / long
        )
        for name, short, long in pairs
    }


def breadth_features(seen: pd.DataFrame) -> dict[str, float]:
    labelled = seen[seen["category"].notna()]
    counts = labelled["category"].value_counts()
    return {
        "categories_90d": within(labelled, 90)["category"].nunique(),
        "categories_365d": within(labelled, 365)["category"].nunique(),
        "categories_lifetime": labelled["category"].nunique(),
        "category_top_share": counts.max() / counts.sum() if len(counts) else np.nan,
        "event_types_30d": within(seen, 30)["event_type"].nunique(),
        "event_types_90d": within(seen, 90)["event_type"].nunique(),
        "event_types_lifetime": seen["event_type"].nunique(),
    }


def contact_features(
    contacts: pd.DataFrame, spec: FeatureSpec, as_of: pd.Timestamp
) -> dict[str, float]:
    seen = contacts[(contacts["sent_at"] < as_of) & (contacts["arrived_at"] < as_of)]
    seen = seen.sort_values("arrived_at").groupby("contact_id").tail(1)
    features: dict[str, float] = {}
    for word, mine in (
        ("any", seen),
        *((name, seen[seen["channel"] == name]) for name in spec.channels),
    ):
        for step in ("sent", "opened", "clicked"):
            times = mine[f"{step}_at"].dropna()
            ages = (as_of - times[times < as_of]) / DAY
            for days in (7, 30, 90):
                features[f"contacts_{word}_{step}_{days}d"] = (ages <= days).sum()
            features[f"contacts_{word}_{step}_recency_days"] = ages.min()
        features[f"contacts_{word}_unsubscribed"] = float((mine["unsubscribed_at"] < as_of).any())
    return features


def static_features(profile: pd.Series | None, spec: FeatureSpec) -> dict[str, float]:
    features: dict[str, float] = {}
    for name, known in zip(spec.attributes, spec.vocabulary, strict=True):
        value = None if profile is None else profile["attributes"].get(name)
        features[f"attribute_{name}"] = known.index(value) if value in known else np.nan
    return features
