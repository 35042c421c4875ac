"""Models in MLflow: what a training run leaves there, and the champion that serves."""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from features.errors import ArtifactError, describe
from features.manifest import feature_manifest
from models.bundle import Bundle, Kind, load_bundle, save_bundle
from pipelines.config import Config
from pipelines.local_champion import keep_copy, read_copy, sound_copy
from pipelines.plots import draw_plots
from pipelines.tracking import (
    TrackingUnreachableError,
    check_reachable,
    connect,
    find_alias,
    is_registered,
    sqlite_file,
)
from training.fit import TrainedModel
from training.ladder import MODEL, ModelReport

__all__ = ["Registration", "TrainingRecord", "champion", "check_reachable", "model_name", "record"]

CHAMPION, CHALLENGER = "champion", "challenger"
Source = Literal["registry", "local copy", "local copy, store lost"]
"""Where a champion came from; the last: MLflow answered, but no longer knows the model."""

_METRICS_PER_CALL = 500


class _NotRegisteredError(ArtifactError):
    """MLflow answers, but has no model of this name: nothing was trained, or its store is lost."""


@dataclass(frozen=True, slots=True)
class TrainingRecord:
    """What a training run tells MLflow: no customer is in it.

    Attributes
    ----------
    models : the trained models.
    parameters : settings and provenance by name.
    report : the whole training report as JSON.
    promote : make the new versions champion even if there is one.
    """

    models: tuple[TrainedModel, ...]
    parameters: dict[str, str]
    report: dict[str, Any]
    promote: bool


@dataclass(frozen=True, slots=True)
class Registration:
    """Where a model went: the registered model's name, its new version and that one's alias."""

    kind: Kind
    model: str
    version: str
    alias: str
    run_id: str


def model_name(config: Config, kind: Kind) -> str:
    """The registered model's name: prefix, then the kind with dashes."""
    return f"{config.storage.registry_prefix}-{kind.replace('_', '-')}"


def record(config: Config, training: TrainingRecord, *, run_name: str) -> tuple[Registration, ...]:
    """Log a training run and register its models.

    A model's first version becomes `champion`. Later ones become `challenger`, unless
    `promote` moves the champion on purpose.

    Parameters
    ----------
    config : names the tracking URI, experiment and registry prefix.
    training : what to log.
    run_name : name of the MLflow run.

    Returns
    -------
    One registration per model, in the order of `training.models`.

    Raises
    ------
    TrackingUnreachableError : MLflow failed; the run there is marked as failed.
    """
    with connect(config) as client, TemporaryDirectory() as scratch:
        run = client.create_run(_experiment(config, client), run_name=run_name)
        run_id = str(run.info.run_id)
        finished = False
        try:
            for name, value in training.parameters.items():
                client.log_param(run_id, name, value[:6000])
            _log_metrics(client, run_id, [model.report for model in training.models])
            _write_artifacts(training, Path(scratch))
            client.log_artifacts(run_id, scratch)
            # Aliases come last: a fault half-way must not leave champions of two runs.
            versions = [_register(config, client, run, model) for model in training.models]
            registrations = tuple(
                _give_alias(config, client, model, version, promote=training.promote)
                for model, version in zip(training.models, versions, strict=True)
            )
            finished = True
        finally:
            client.set_terminated(run_id, status="FINISHED" if finished else "FAILED")
    for model, registration in zip(training.models, registrations, strict=True):
        if registration.alias == CHAMPION:
            keep_copy(config, model.bundle, version=registration.version)
    return registrations


def champion(config: Config, kind: Kind) -> tuple[Bundle, str, Source]:
    """The model that serves: from the registry, or its local copy if MLflow has none to give.

    What the registry gives is checked and kept as the new local copy. The copy serves while
    MLflow is unreachable, and after its store was lost (it answers, but has no such model).
    A model without the alias was left so by somebody, and its copy does not serve.

    Parameters
    ----------
    config : names the tracking URI and the folder of the local copies.
    kind : which model.

    Returns
    -------
    The bundle, its registered version, and where it came from.

    Raises
    ------
    ArtifactError : nothing was trained yet, MLflow is unreachable and there is no copy, or
        the artefact is not what was registered.
    """
    try:
        if (store := sqlite_file(config)) is not None and not store.is_file():
            # Connecting would make an empty database and hide that the old one is gone.
            raise TrackingUnreachableError(f"{store}: no such file")
        return _from_registry(config, kind)
    except TrackingUnreachableError as error:
        copy = read_copy(config, kind)
        if copy is None:
            raise ArtifactError(
                describe(
                    f"champion of {model_name(config, kind)}",
                    f"no local copy, and MLflow cannot be asked: {_cause(error)}",
                    expected="a model that `winback train` registered",
                    fix="train first with `winback train`, or make MLflow reachable",
                )
            ) from error
        return copy.bundle, copy.version, "local copy"
    except _NotRegisteredError:
        copy = read_copy(config, kind)
        if copy is None:
            raise
        return copy.bundle, copy.version, "local copy, store lost"


def _cause(error: TrackingUnreachableError) -> str:
    """What is wrong with MLflow, without the expectation and fix that follow it."""
    return str(error).partition(". Expected ")[0].rstrip(".")


def _from_registry(config: Config, kind: Kind) -> tuple[Bundle, str, Source]:
    name = model_name(config, kind)
    with connect(config, patient=False) as client:
        found = find_alias(client, name, CHAMPION)
        if found is None:
            raise _no_champion(client, name)
        version, digest = str(found.version), found.tags.get("winback.digest", "")
        copy = sound_copy(config, kind)
        if copy is not None and (copy.version, copy.digest) == (version, digest):
            return copy.bundle, version, "registry"
        with TemporaryDirectory() as scratch:
            folder = client.download_artifacts(found.run_id, _artifact_path(kind), scratch)
            bundle = _load_fetched(Path(folder), place=f"{name} version {version}")
    if bundle.kind != kind or bundle.digest() != digest:
        raise ArtifactError(
            describe(
                f"{name} version {version}",
                "its artefact is not the one that was registered",
                expected=f"digest {digest[:12]}, found {bundle.digest()[:12]}",
                fix="restore the MLflow artifacts, or train again",
            )
        )
    keep_copy(config, bundle, version=version)
    return bundle, version, "registry"


def _no_champion(client: Any, name: str) -> ArtifactError:
    known = is_registered(client, name)
    text = describe(
        f"champion of {name}",
        "no version in the registry has this alias" if known else "the registry has no such model",
        expected="a model that `winback train` registered",
        fix="train first with `winback train`",
    )
    return ArtifactError(text) if known else _NotRegisteredError(text)


def _load_fetched(folder: Path, *, place: str) -> Bundle:
    """The bundle in a passing folder; faults name `place`, as the folder will be gone."""
    try:
        return load_bundle(folder)
    except ArtifactError as error:
        text = str(error).replace(f"{folder}/", f"{place}, ").replace(str(folder), place)
        raise ArtifactError(text) from error


def _experiment(config: Config, client: Any) -> str:
    name = config.storage.mlflow_experiment
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    store = sqlite_file(config)
    # MLflow's default for SQLite is ./mlruns of whichever folder the command ran in.
    location = (store.parent / "mlartifacts").resolve().as_uri() if store is not None else None
    return str(client.create_experiment(name, artifact_location=location))


def _register(config: Config, client: Any, run: Any, model: TrainedModel) -> Any:
    """A new version of the registered model, without an alias."""
    from mlflow.exceptions import MlflowException

    name, kind, run_id = model_name(config, model.bundle.kind), model.bundle.kind, run.info.run_id
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    return client.create_model_version(
        name,
        source=f"{run.info.artifact_uri}/{_artifact_path(kind)}",
        run_id=run_id,
        tags={
            "winback.digest": model.bundle.digest(),
            "winback.kind": kind,
            "winback.version": model.bundle.winback_version,
        },
        description="\n".join(model.report.verdicts),
    )


def _give_alias(
    config: Config, client: Any, model: TrainedModel, version: Any, *, promote: bool
) -> Registration:
    kind = model.bundle.kind
    name = model_name(config, kind)
    first = find_alias(client, name, CHAMPION) is None
    alias = CHAMPION if first or promote else CHALLENGER
    client.set_registered_model_alias(name, alias, version.version)
    return Registration(kind, name, str(version.version), alias, str(version.run_id))


def _artifact_path(kind: Kind) -> str:
    return f"bundles/{kind}"


def _log_metrics(client: Any, run_id: str, reports: Sequence[ModelReport]) -> None:
    from mlflow.entities import Metric

    figures = [pair for report in reports for pair in _figures(report)]
    for start in range(0, len(figures), _METRICS_PER_CALL):
        part = figures[start : start + _METRICS_PER_CALL]
        client.log_batch(run_id, metrics=[Metric(name, value, 0, 0) for name, value in part])


def _figures(report: ModelReport) -> list[tuple[str, float]]:
    """Metric names and values: kind/fold/forecaster/metric, with .low and .high."""
    figures = []
    for fold in report.folds:
        place = f"{report.kind}/{fold.fold}"
        figures += [(f"{place}/rows", float(fold.rows)), (f"{place}/base_rate", fold.base_rate)]
        for rung in fold.ladder:
            who = "lightgbm" if rung.name == MODEL else _slug(rung.name)
            for metric, estimate in rung.metrics.items():
                ends = {"": estimate.value, ".low": estimate.low, ".high": estimate.high}
                figures += [
                    (f"{place}/{who}/{metric}{end}", value)
                    for end, value in ends.items()
                    if value is not None
                ]
    return figures


def _slug(name: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in name.lower())


def _write_artifacts(training: TrainingRecord, folder: Path) -> None:
    (folder / "report.json").write_text(json.dumps(training.report, indent=1) + "\n")
    for model in training.models:
        report = model.report
        save_bundle(model.bundle, folder / _artifact_path(report.kind))
        draw_plots(report, folder / "plots")
        with (folder / f"importance_{report.kind}.csv").open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(["feature", "gain_share", "unit", "meaning"])
            about = {one.name: one for one in feature_manifest(model.bundle.spec)}
            table.writerows(
                [name, f"{share:.6f}", about[name].unit, about[name].meaning]
                for name, share in report.importance
            )
