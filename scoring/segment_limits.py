"""Limits of parts of the customers, as the plan and the turns count them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.allocate.problem import GroupLimits
from scoring.outcomes import UNLIMITED
from scoring.policy import SegmentLimit

BoolArray = NDArray[np.bool_]
Float64Array = NDArray[np.float64]
Int32Array = NDArray[np.int32]
Int64Array = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class SegmentRows:
    """Customers by the segments that they belong to.

    Attributes
    ----------
    limits : one per segment.
    group : shape (n,), the customer's combination of segments.
    member : shape (n_segments, n_groups), whether a combination holds the segment.
    """

    limits: tuple[SegmentLimit, ...]
    group: Int32Array
    member: BoolArray


def group_customers(limits: Sequence[SegmentLimit], members: BoolArray) -> SegmentRows:
    """Number the combinations of segments that occur.

    Parameters
    ----------
    members : shape (n_segments, n), who belongs to which segment.
    """
    bits = np.zeros(members.shape[1], dtype=np.int64)
    for place, row in enumerate(members):
        bits |= row.astype(np.int64) << place
    known, group = np.unique(bits, return_inverse=True)
    if not len(known):
        known = np.zeros(1, dtype=np.int64)
    places = np.arange(len(members), dtype=np.int64)
    return SegmentRows(
        limits=tuple(limits),
        group=group.astype(np.int32),
        member=((known[None, :] >> places[:, None]) & 1).astype(np.bool_),
    )


def group_limits(
    rows: SegmentRows, *, max_rows: int, sent_share: float, planned: int
) -> GroupLimits:
    """The plan's rows: the length of the list, each segment's contacts, each one's share.

    Parameters
    ----------
    max_rows : most listed customers, controls included; `UNLIMITED` for no limit.
    sent_share : of planned customers that are expected to be contacted. Limits count
        contacts, the plan counts controls too.
    planned : how many customers the plan is expected to hold, of which `min_share` asks for
        a part: as a number, so that a segment with few customers does not shorten the list.
    """
    n_groups = rows.member.shape[1]
    weight, least, most = [np.ones(n_groups)], [-np.inf], [np.inf]
    if max_rows != UNLIMITED:
        most[0] = float(max_rows)
    for limit, member in zip(rows.limits, rows.member.astype(np.float64), strict=True):
        weight.append(member)
        asked = max((limit.min_contacts or 0) / sent_share, (limit.min_share or 0.0) * planned)
        least.append(asked or -np.inf)
        most.append(np.inf if limit.max_contacts is None else limit.max_contacts / sent_share)
        if limit.max_share is not None:
            weight.append(member - limit.max_share)
            least.append(-np.inf)
            most.append(0.0)
    return GroupLimits(
        group=rows.group,
        weight=np.array(weight),
        least=np.array(least),
        most=np.array(most),
    )


def contact_counts(rows: SegmentRows, *, contacts: int) -> tuple[Int64Array, Int64Array]:
    """Least and most contacts of each segment, if so many are sent in all."""
    least = np.zeros(len(rows.limits), dtype=np.int64)
    most = np.full(len(rows.limits), UNLIMITED, dtype=np.int64)
    for place, limit in enumerate(rows.limits):
        lows = [limit.min_contacts or 0, int(np.ceil((limit.min_share or 0.0) * contacts - 1e-9))]
        least[place] = max(lows)
        highs = [] if limit.max_contacts is None else [limit.max_contacts]
        if limit.max_share is not None:
            highs.append(int(np.floor(limit.max_share * contacts + 1e-9)))
        most[place] = min(highs, default=UNLIMITED)
    return least, most


def segment_contacts(rows: SegmentRows, sent: BoolArray) -> Int64Array:
    """Contacts of each segment among those sent; shape (n_segments,)."""
    counts = np.bincount(rows.group[sent], minlength=rows.member.shape[1])
    return np.asarray(rows.member @ counts, dtype=np.int64)
