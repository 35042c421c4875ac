"""Two models of a very small shop, and homes whose MLflow takes them."""

from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from small_material import material_of
from small_shop import TOML, history_of, shop_events

from features.local_day import local_midnight_us
from models.bundle import KINDS
from pipelines.config import Config, load_config
from pipelines.registry import TrainingRecord
from training.fit import TrainedModel, fit_model
from training.folds import plan_folds
from training.plan import LearnerPlan, TrainingPlan


@cache
def trained_models() -> tuple[TrainedModel, ...]:
    """Both models of a very small shop."""
    table = shop_events(400)
    times = table.column("occurred_at").cast("int64").to_numpy()
    berlin = ZoneInfo("Europe/Berlin")
    folds = plan_folds(
        (int(times.min()), int(times.max())),
        trained_until_us=local_midnight_us(date(2025, 11, 27), berlin),
        timezone=berlin,
        windows=(2.0, 30.0),
        step_days=28,
        most=(2, 1),
    )
    material = material_of(history_of(table), folds=folds)
    plan = TrainingPlan(
        bootstrap_draws=50, learner=LearnerPlan(max_rounds=10, min_data_in_leaf=20, threads=1)
    )
    return tuple(fit_model(kind, material, plan=plan) for kind in KINDS)


def training_record(models: tuple[TrainedModel, ...], *, promote: bool = False) -> TrainingRecord:
    return TrainingRecord(
        models=models,
        parameters={"config_digest": "d" * 64, "input.events.version": "3"},
        report={"schema_version": 1},
        promote=promote,
    )


def another(models: tuple[TrainedModel, ...]) -> tuple[TrainedModel, ...]:
    """The same models with another training as-of: other digests."""
    return tuple(
        replace(model, bundle=replace(model.bundle, trained_until_us=1 + i))
        for i, model in enumerate(models)
    )


def configured(home: Path, uri: str | None = None) -> Config:
    home.mkdir(parents=True, exist_ok=True)
    text = TOML
    if uri is not None:
        text = text.replace("[storage]", f'[storage]\nmlflow_tracking_uri = "{uri}"')
    (home / "winback.toml").write_text(text)
    return load_config(home)
