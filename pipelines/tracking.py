"""The connection to MLflow: quiet, quick to fail where asked, its faults in our words."""

import logging
import math
import os
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from features.errors import ArtifactError, describe
from pipelines.config import Config

_ALWAYS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
_IMPATIENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
}
_ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
_METRICS_PER_CALL = 500
_SQLITE = "sqlite:///"


class TrackingUnreachableError(ArtifactError):
    """MLflow does not answer, or answers with a fault of its own."""


@contextmanager
def connect(config: Config, *, patient: bool = True) -> Iterator[Any]:
    """An `MlflowClient` for the configured tracking URI, inside the block only.

    Inside, MLflow's and Alembic's informative log lines and the deprecation warnings of
    their own code are silenced; their warnings and errors are not. Nothing is sent to
    MLflow's telemetry.

    Parameters
    ----------
    config : names the tracking URI.
    patient : false gives up after two short attempts unless the environment says otherwise.

    Raises
    ------
    TrackingUnreachableError : MLflow failed inside the block, or its SQLite file is to be
        made in a folder that does not exist.
    """
    _check_folder(config)
    with _environment(_ALWAYS if patient else {**_ALWAYS, **_IMPATIENT}), _quiet():
        from mlflow.exceptions import MlflowException
        from mlflow.tracking import MlflowClient
        from sqlalchemy.exc import SQLAlchemyError

        try:
            uri = config.tracking_uri
            yield MlflowClient(tracking_uri=uri, registry_uri=uri)
        except (MlflowException, SQLAlchemyError, OSError) as error:
            raise _unreachable(config, error) from error


def check_reachable(config: Config) -> None:
    """Ask MLflow for one experiment, before any work is done.

    Raises
    ------
    TrackingUnreachableError : it does not answer within seconds; the text names the URI.
    """
    with connect(config, patient=False) as client:
        client.search_experiments(max_results=1)


def is_registered(client: Any, model: str) -> bool:
    """Whether the registry has a model of this name, with or without versions."""
    from mlflow.exceptions import MlflowException

    try:
        client.get_registered_model(model)
    except MlflowException as error:
        if error.error_code in _ABSENT:
            return False
        raise
    return True


def experiment_id(config: Config, client: Any) -> str:
    """The configured experiment, made if there is none."""
    name = config.storage.mlflow_experiment
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    store = sqlite_file(config)
    # MLflow's default for SQLite is ./mlruns of whichever folder the command ran in.
    location = (store.parent / "mlartifacts").resolve().as_uri() if store is not None else None
    return str(client.create_experiment(name, artifact_location=location))


def log_metrics(client: Any, run_id: str, figures: Sequence[tuple[str, float]]) -> None:
    """Log figures by name, as many at once as MLflow takes; those without a value are left out."""
    from mlflow.entities import Metric

    metrics = [Metric(name, value, 0, 0) for name, value in figures if math.isfinite(value)]
    for start in range(0, len(metrics), _METRICS_PER_CALL):
        client.log_batch(run_id, metrics=metrics[start : start + _METRICS_PER_CALL])


def metric_word(name: str) -> str:
    """A name as part of a metric's name."""
    return "".join(c if c.isalnum() else "_" for c in name.lower())


def find_alias(client: Any, model: str, alias: str) -> Any | None:
    """The model version an alias points to; None if there is no such model or alias."""
    from mlflow.exceptions import MlflowException

    try:
        return client.get_model_version_by_alias(model, alias)
    except MlflowException as error:
        if error.error_code in _ABSENT:
            return None
        raise


def check_store(config: Config) -> None:
    """Refuse a local SQLite store that is gone, which connecting would make anew and empty.

    Raises
    ------
    TrackingUnreachableError : there is no such file.
    """
    store = sqlite_file(config)
    if store is not None and not store.is_file():
        raise TrackingUnreachableError(
            describe(
                str(store),
                "no such file",
                expected="the MLflow database that `winback train` made",
                fix="restore it, or run `winback train`",
            )
        )


def sqlite_file(config: Config) -> Path | None:
    """The file of a local SQLite store; None for any other tracking URI."""
    uri = config.tracking_uri
    return Path(uri.removeprefix(_SQLITE)) if uri.startswith(_SQLITE) else None


def shown_uri(config: Config) -> str:
    """The tracking URI without a password that may be in it."""
    return re.sub(r"(?<=://)[^/@]+@", "", config.tracking_uri)


def _check_folder(config: Config) -> None:
    """Refuse an SQLite file in a missing folder, which MLflow would make: a mistyped path."""
    store = sqlite_file(config)
    if store is not None and not store.parent.is_dir():
        raise TrackingUnreachableError(
            describe(
                f"MLflow at {shown_uri(config)}",
                f"there is no folder {store.parent}",
                expected="an SQLite file in a folder that exists",
                fix="make the folder, or correct storage.mlflow_tracking_uri (left out, it is an "
                "SQLite file beside winback.toml)",
            )
        )


@contextmanager
def _environment(settings: dict[str, str]) -> Iterator[None]:
    """Set variables that the user has not set, and take them back afterwards."""
    ours = {name: value for name, value in settings.items() if name not in os.environ}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            os.environ.pop(name, None)


@contextmanager
def _quiet() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        # MLflow sets up its own logging when it is imported, so levels come afterwards.
        import mlflow.tracking  # noqa: F401

        levels = [logger.level for logger in loggers]
        for logger in loggers:
            logger.setLevel(logging.WARNING)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def _unreachable(config: Config, error: Exception) -> TrackingUnreachableError:
    lines = str(error).splitlines() or [type(error).__name__]
    return TrackingUnreachableError(
        describe(
            f"MLflow at {shown_uri(config)}",
            f"a request to it failed: {_shortened(lines[0])}",
            expected="a tracking server or database that answers",
            fix="start it, or correct storage.mlflow_tracking_uri (left out, it is an SQLite file "
            "beside winback.toml)",
        )
    )


def _shortened(text: str, limit: int = 160) -> str:
    text = re.sub(r"(?<=://)[^/@\s]+@", "", text)
    return text if len(text) <= limit else f"{text[:limit]}…"
