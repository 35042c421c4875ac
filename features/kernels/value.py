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


@njit(nogil=True, cache=True, error_model="numpy")
def fill_value(
    series: Series,
    totals: NDArray[np.float64],
    rows: NDArray[np.int64],
    out: NDArray[np.float32],
) -> None:
    """Fill `out` (n_rows, n_windows + 15) from the series and `windows.sum_windows` totals."""
    last = totals.shape[2] - 1
    for i in range(len(rows)):
        if rows[i] < 0:
            continue
        row = out[rows[i]]
        spend, spend_365d = totals[i, SPEND, last], totals[i, SPEND, last - 1]
        for window in range(last + 1):
            row[window] = totals[i, SPEND, window]
        _fill_amounts(series, i, spend, row)
        row[12] = _share(totals[i, SPEND, 2], totals[i, ORDERS, 2])
        row[13] = _share(spend_365d, totals[i, ORDERS, last - 1])
        refunds_365d = 0
        refund = refund_365d = 0.0
        first, end = series.refund_offsets[i], series.refund_offsets[i + 1]
        for entry in range(first, end):
            refund += series.refund_amount[entry]
            if series.refund_age[entry] <= 365.0:
                refunds_365d += 1
                refund_365d += series.refund_amount[entry]
        row[15] = refunds_365d
        row[16] = end - first
        row[17] = _share(refund_365d, spend_365d)
        row[18] = _share(refund, spend)


@njit(nogil=True, cache=True, error_model="numpy")
def _share(part: float, whole: float) -> float:
    return part / whole if whole > 0.0 else np.nan


@njit(nogil=True, cache=True, error_model="numpy")
def _fill_amounts(series: Series, i: int, spend: float, row: NDArray[np.float32]) -> None:
    """Columns 6 to 11 (amounts), 14 (lines), 19 and 20 (discount shares) of customer `i`."""
    first, end = series.order_offsets[i], series.order_offsets[i + 1]
    if end == first:
        row[6:12] = np.nan
        row[14] = row[19] = row[20] = np.nan
        return
    mean = spend / (end - first)
    largest, smallest = -np.inf, np.inf
    squares = discount = discount_365d = spend_365d = 0.0
    lines = 0
    for order in range(first, end):
        amount = series.order_amount[order]
        largest = max(largest, amount)
        smallest = min(smallest, amount)
        squares += (amount - mean) ** 2
        lines += series.order_lines[order]
        discount += series.order_discount[order]
        if series.order_age[order] <= 365.0:
            discount_365d += series.order_discount[order]
            spend_365d += amount
    row[6] = mean
    row[7] = np.sqrt(squares / (end - first - 1)) if end - first > 1 else np.nan
    row[8] = largest
    row[9] = smallest
    row[10] = series.order_amount[first]
    row[11] = series.order_amount[end - 1]
    row[14] = lines / (end - first)
    row[19] = _share(discount_365d, spend_365d + discount_365d)
    row[20] = _share(discount, spend + discount)
