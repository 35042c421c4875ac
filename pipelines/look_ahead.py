"""Looking ahead over all buckets: which of them are read again, and for whom."""

import numpy as np
from numpy.typing import NDArray

from features.progress import Progress, silent
from pipelines.engine import map_buckets
from scoring.look_ahead import look_ahead
from scoring.scored import ScoredCustomers
from scoring.scorer import Scorer
from scoring.waiting import Ahead, LookAhead

Int64Array = NDArray[np.int64]


def look_ahead_of(
    scorer: Scorer,
    scored: ScoredCustomers,
    *,
    days: float,
    threads: int,
    progress: Progress = silent,
) -> LookAhead:
    """What tells of customers some days later, as if nothing happened until then.

    Only buckets with customers who are asked about are read.

    Parameters
    ----------
    scored : whole buckets, in ascending order; positions are among them.
    threads : how many buckets are in work at once.
    """

    def ahead(positions: Int64Array) -> Ahead:
        buckets = np.unique(scored.bucket[positions])
        first = np.searchsorted(scored.bucket, buckets)
        cuts = np.searchsorted(scored.bucket[positions], buckets)
        asked = dict(zip(buckets.tolist(), np.split(positions, cuts[1:]), strict=True))
        start_of = dict(zip(buckets.tolist(), first.tolist(), strict=True))

        def of_bucket(bucket: int) -> Ahead:
            rows = asked[bucket]
            return look_ahead(
                scorer,
                bucket,
                rows - start_of[bucket],
                p_natural=scored.p_natural[rows],
                days=days,
            )

        parts = map_buckets(
            of_bucket,
            buckets.tolist(),
            threads=threads,
            progress=progress,
            task="looking ahead",
        )
        return Ahead(
            p_natural=np.concatenate([part.p_natural for part in parts]),
            effect_x=np.concatenate([part.effect_x for part in parts]),
            p_return=np.concatenate([part.p_return for part in parts]),
        )

    return ahead
