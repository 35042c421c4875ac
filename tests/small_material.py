"""All that models are fitted from, of one bucket of the small shop."""

from collections.abc import Sequence
from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
from small_shop import SPEC, STAGES, history_of, shop_events

from features.history import History
from features.local_day import local_midnight_us
from features.spec import FeatureSpec
from features.stage import Stage
from models.bundle import stages_digest
from training.folds import Folds, plan_folds
from training.level_fit import fit_processes
from training.levels import collect_levels, level_as_ofs
from training.material import Material
from training.panel import build_panel

BERLIN = ZoneInfo("Europe/Berlin")


def first_known_us(history: History, folds: Folds) -> int:
    """When the first event known at the training as-of occurred."""
    events = history.events
    known = (events.occurred_at < folds.trained_until_us) & (
        events.arrived_at < folds.trained_until_us
    )
    return int(np.min(events.occurred_at[known]))


def material_of(
    history: History,
    *,
    folds: Folds,
    spec: FeatureSpec = SPEC,
    stages: Sequence[Stage] = STAGES,
    at_most: int = 10_000,
) -> Material:
    """The panel, the level rows and the purchase processes of one history."""
    until = folds.trained_until_us
    levels = collect_levels(
        history,
        spec=spec,
        stages=stages,
        folds=folds,
        as_ofs=level_as_ofs(
            folds, stages, span_us=(first_known_us(history, folds), until), timezone=BERLIN
        ),
        at_most=at_most,
    )
    return Material(
        panel=build_panel(history, spec=spec, stages=stages, folds=folds),
        folds=folds,
        levels=levels,
        processes=fit_processes(levels),
        spec=spec,
        stages_digest=stages_digest(stages),
    )


def shop_material(customers: int, *, step_days: int = 28, most: tuple[int, int]) -> Material:
    """The small shop of so many customers, trained as of its last day."""
    table = shop_events(customers)
    times = table.column("occurred_at").cast("int64").to_numpy()
    folds = plan_folds(
        (int(times.min()), int(times.max())),
        trained_until_us=local_midnight_us(date(2025, 11, 27), BERLIN),
        timezone=BERLIN,
        windows=(2.0, 30.0),
        step_days=step_days,
        most=most,
    )
    return material_of(history_of(table), folds=folds)
