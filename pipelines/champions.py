"""The models that serve: found in the registry by alias, fetched, checked, kept as a copy."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, overload

from features.errors import ArtifactError, describe
from models.bundle import (
    AnyBundle,
    AnyKind,
    Bundle,
    EffectBundle,
    Kind,
    ReturnTimeBundle,
    load_bundle,
)
from pipelines.config import Config
from pipelines.local_champion import keep_copy, read_copy, sound_copy
from pipelines.tracking import (
    TrackingUnreachableError,
    check_store,
    connect,
    find_alias,
    is_registered,
)

CHAMPION, CHALLENGER = "champion", "challenger"
Source = Literal["registry", "local copy", "local copy, store lost"]
"""Where a champion came from; the last: MLflow answered, but no longer knows the model."""


class _NotRegisteredError(ArtifactError):
    """MLflow answers, but has no model of this name: nothing was trained, or its store is lost."""


def model_name(config: Config, kind: AnyKind) -> str:
    """The registered model's name: prefix, then the kind with dashes."""
    return f"{config.storage.registry_prefix}-{kind.replace('_', '-')}"


def artifact_path(kind: AnyKind) -> str:
    """Where a run keeps the bundle of this kind."""
    return f"bundles/{kind}"


@overload
def champion(config: Config, kind: Kind) -> tuple[Bundle, str, Source]: ...
@overload
def champion(
    config: Config, kind: Literal["return_time"]
) -> tuple[ReturnTimeBundle, str, Source]: ...
@overload
def champion(
    config: Config, kind: Literal["contact_effect"]
) -> tuple[EffectBundle, str, Source]: ...
@overload
def champion(config: Config, kind: AnyKind) -> tuple[AnyBundle, str, Source]: ...
def champion(config: Config, kind: AnyKind) -> tuple[AnyBundle, str, Source]:
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
        check_store(config)
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


def fetch_bundle(config: Config, client: Any, kind: AnyKind, found: Any) -> AnyBundle:
    """The bundle of a registered version, from the local copy if that is the same one.

    Parameters
    ----------
    client : an `MlflowClient` of `connect`.
    found : the model version.

    Raises
    ------
    ArtifactError : the artefact is damaged, or is not the one that was registered.
    """
    return _same_copy(config, kind, found) or _download(config, client, kind, found)


def _same_copy(config: Config, kind: AnyKind, found: Any) -> AnyBundle | None:
    """The local copy, if it is sound and of this very version."""
    copy = sound_copy(config, kind)
    registered = (str(found.version), found.tags.get("winback.digest", ""))
    same = copy is not None and (copy.version, copy.digest) == registered
    return copy.bundle if copy is not None and same else None


def _download(config: Config, client: Any, kind: AnyKind, found: Any) -> AnyBundle:
    name, version = model_name(config, kind), str(found.version)
    digest = found.tags.get("winback.digest", "")
    with TemporaryDirectory() as scratch:
        folder = client.download_artifacts(found.run_id, artifact_path(kind), scratch)
        bundle = _load_fetched(Path(folder), place=f"{name} version {version}")
    if bundle.kind != kind or bundle.digest() != digest:
        raise ArtifactError(
            describe(
                f"{name} version {version}",
                "its artefact is not the one that was registered",
                expected=f"digest {digest[:12]}, found {bundle.digest()[:12]}",
                fix="restore the MLflow artifacts, or run `winback train`, which replaces "
                "champions that cannot serve",
            )
        )
    return bundle


def _cause(error: TrackingUnreachableError) -> str:
    """What is wrong with MLflow, without the expectation and fix that follow it."""
    return str(error).partition(". Expected ")[0].rstrip(".")


def _from_registry(config: Config, kind: AnyKind) -> tuple[AnyBundle, str, Source]:
    name = model_name(config, kind)
    with connect(config, patient=False) as client:
        found = find_alias(client, name, CHAMPION)
        if found is None:
            raise _no_champion(client, name)
        bundle = _same_copy(config, kind, found)
        if bundle is not None:
            return bundle, str(found.version), "registry"
        bundle = _download(config, client, kind, found)
    keep_copy(config, bundle, version=str(found.version))
    return bundle, str(found.version), "registry"


def _no_champion(client: Any, name: str) -> ArtifactError:
    known = is_registered(client, name)
    text = describe(
        f"champion of {name}",
        "no version in the registry has this alias" if known else "the registry has no such model",
        expected="a model that `winback train` registered",
        fix="run `winback train`, whose models become champions where one is missing"
        if known
        else "train first with `winback train`",
    )
    return ArtifactError(text) if known else _NotRegisteredError(text)


def _load_fetched(folder: Path, *, place: str) -> AnyBundle:
    """The bundle in a passing folder; faults name `place`, as the folder will be gone."""
    try:
        return load_bundle(folder)
    except ArtifactError as error:
        text = str(error).replace(f"{folder}/", f"{place}, ").replace(str(folder), place)
        raise ArtifactError(text) from error
