"""Value: spend in windows, the size of orders, what refunds and discounts take back."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.kernels.feature import WINDOW_NAMES, Feature, window_text
from features.kernels.series import Series
from features.kernels.windows import ORDERS, SPEND
from features.spec import FeatureSpec

BLOCK = "value"


def declare(_spec: FeatureSpec) -> tuple[Feature, ...]:
    """The block's features, in column order."""
    rule = "NaN without an order"
    amounts = (
        ("mean", "Mean order amount; {rule}."),
        ("sd", "Standard deviation (n - 1) of order amounts; NaN below two orders."),
        ("max", "Largest order amount; {rule}."),
        ("min", "Smallest order amount; {rule}."),
        ("first", "Amount of the first order; {rule}."),
        ("last", "Amount of the last order; {rule}."),
        ("mean_90d", "Mean order amount in the 90 days before; NaN without an order there."),
        ("mean_365d", "Mean order amount in the 365 days before; NaN without an order there."),
    )
    spend_rule = "NaN if there was no spend"
    return (
        *(
            Feature(f"spend_{window}", "money", f"Order amounts {window_text(window)}.", BLOCK)
            for window in WINDOW_NAMES
        ),
        *(
            Feature(f"order_amount_{name}", "money", meaning.format(rule=rule), BLOCK)
            for name, meaning in amounts
        ),
        Feature("order_lines_mean", "count", f"Mean lines per order; {rule}.", BLOCK),
        Feature("refunds_365d", "count", "Refunds in the 365 days before.", BLOCK),
        Feature("refunds_lifetime", "count", "Refunds ever.", BLOCK),
        Feature(
            "refund_share_365d",
            "share",
            f"Refunded money ÷ spend, both in the 365 days before; {spend_rule}.",
            BLOCK,
        ),
        Feature(
            "refund_share_lifetime", "share", f"Refunded money ÷ spend, ever; {spend_rule}.", BLOCK
        ),
        Feature(
            "discount_share_365d",
            "share",
            "Discount ÷ (spend + discount) in the 365 days before; NaN if both are 0.",
            BLOCK,
        ),
        Feature(
            "discount_share_lifetime",
            "share",
            "Discount ÷ (spend + discount), ever; NaN if both are 0.",
            BLOCK,
        ),
    )


@njit(nogil=True, cache=True)
def fill_value(
    series: Series,
    totals: NDArray[np.float64],
    rows: NDArray[np.int64],
    out: NDArray[np.float32],
) -> None:
    """Fill `out` (n_rows, n_windows + 15) from the series and `windows.sum_windows` totals."""
    n_windows = totals.shape[2]
    for i in range(len(rows)):
        if rows[i] < 0:
            continue
        row = out[rows[i]]
        for window in range(n_windows):
            row[window] = totals[i, SPEND, window]
        _fill_amounts(series, i, row[n_windows : n_windows + 6])
        for j, window in ((6, 2), (7, 4)):
            orders = totals[i, ORDERS, window]
            row[n_windows + j] = totals[i, SPEND, window] / orders if orders > 0 else np.nan
        lines = 0
        discount_365d = discount = refund_365d = refund = 0.0
        first, end = series.order_offsets[i], series.order_offsets[i + 1]
        for order in range(first, end):
            lines += series.order_lines[order]
            discount += series.order_discount[order]
            if series.order_age[order] <= 365.0:
                discount_365d += series.order_discount[order]
        refunds_365d = 0
        for entry in range(series.refund_offsets[i], series.refund_offsets[i + 1]):
            refund += series.refund_amount[entry]
            if series.refund_age[entry] <= 365.0:
                refunds_365d += 1
                refund_365d += series.refund_amount[entry]
        rest = row[n_windows + 8 :]
        rest[0] = lines / (end - first) if end > first else np.nan
        rest[1] = refunds_365d
        rest[2] = series.refund_offsets[i + 1] - series.refund_offsets[i]
        spend_365d, spend = totals[i, SPEND, n_windows - 2], totals[i, SPEND, n_windows - 1]
        rest[3] = refund_365d / spend_365d if spend_365d > 0 else np.nan
        rest[4] = refund / spend if spend > 0 else np.nan
        gross_365d, gross = spend_365d + discount_365d, spend + discount
        rest[5] = discount_365d / gross_365d if gross_365d > 0 else np.nan
        rest[6] = discount / gross if gross > 0 else np.nan


@njit(nogil=True, cache=True)
def _fill_amounts(series: Series, i: int, row: NDArray[np.float32]) -> None:
    """Mean, sd, max, min, first and last order amount of customer `i`."""
    first, end = series.order_offsets[i], series.order_offsets[i + 1]
    row[:] = np.nan
    if end == first:
        return
    total = 0.0
    largest, smallest = -np.inf, np.inf
    for order in range(first, end):
        amount = series.order_amount[order]
        total += amount
        largest = max(largest, amount)
        smallest = min(smallest, amount)
    mean = total / (end - first)
    squares = 0.0
    for order in range(first, end):
        squares += (series.order_amount[order] - mean) ** 2
    row[0] = mean
    if end - first > 1:
        row[1] = np.sqrt(squares / (end - first - 1))
    row[2] = largest
    row[3] = smallest
    row[4] = series.order_amount[first]
    row[5] = series.order_amount[end - 1]
