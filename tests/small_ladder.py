"""A ladder of forecasters around any forest, for tests that need one to serve."""

import numpy as np

from models.baselines import fit_baselines
from models.calibration import Calibration
from models.customer_value import CustomerValue
from models.forest import Forest
from models.ladder import FOREST, RUNGS, Ladder, Shift
from models.purchase_process import PurchaseProcess
from models.purchase_rung import PurchaseRung, StageLine

PROCESS = PurchaseProcess(
    process="mbg_nbd",
    r=0.6,
    alpha=12.0,
    a=0.8,
    b=2.5,
    log_likelihood=-1234.5,
    customers=400,
    returning=150,
    converged=True,
)
RUNG = PurchaseRung(
    label_is_return=1,
    horizon_days=30.0,
    by_stage={0: StageLine(PROCESS, 0.9, -0.2), 1: StageLine(None, 0.0, -1.5)},
    fallback=-1.0,
)
PLATT = Calibration("platt", slope=0.9, intercept=-0.1)


def random_value(n: int, seed: int = 1) -> CustomerValue:
    """Customers of two stages; every tenth never ordered, but did something else."""
    rng = np.random.default_rng(seed)
    age = rng.integers(1, 300, size=n).astype(np.float64)
    repeats = np.minimum(rng.poisson(2.0, size=n), age)
    never = np.arange(n) % 10 == 0
    orders = np.where(never, 0.0, repeats + 1)
    return CustomerValue(
        stage=(np.arange(n) % 2).astype(np.int16),
        silence_days=rng.exponential(20.0, size=n),
        order_recency_days=np.where(never, np.nan, rng.exponential(40.0, size=n)),
        orders=orders,
        spend=orders * rng.lognormal(3.0, 0.5, size=n),
        repeats=repeats,
        last_days=np.where(repeats > 0, np.floor(rng.uniform(0.1, 1.0, size=n) * age), 0.0),
        age_days=age,
    )


def ladder_of(
    forest: Forest, *, shipped: str = FOREST, calibration: Calibration = PLATT, level: float = 0.0
) -> Ladder:
    """A ladder whose other rungs are fitted on made-up customers."""
    value = random_value(300)
    labels = (value.silence_days > np.median(value.silence_days)).astype(np.int8)
    return Ladder(
        baselines=fit_baselines(value, labels),
        purchase=RUNG,
        forest=forest,
        forest_base=0.0,
        weights=(0.7, 0.4),
        calibrations=dict.fromkeys(RUNGS, calibration),
        shifts={name: Shift(1.0 + 0.1 * place, 0.0) for place, name in enumerate(RUNGS)},
        level=level,
        shipped=shipped,
    )
