"""Who is champion: aliases of a run's models move together, so that one run serves a night."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from features.errors import ArtifactError, describe
from models.bundle import ALL_KINDS, KINDS, AnyBundle, AnyKind
from pipelines.champions import CHALLENGER, CHAMPION, fetch_bundle, model_name
from pipelines.config import Config
from pipelines.local_champion import keep_copy
from pipelines.model_check import check_bundle, configuration_differences
from pipelines.tracking import check_reachable, check_store, connect, find_alias


@dataclass(frozen=True, slots=True)
class Registration:
    """Where a model went: the registered model's name, a version of it and that one's alias.

    Attributes
    ----------
    note : a sentence on why the champion changed; None where nothing needs saying.
    """

    kind: AnyKind
    model: str
    version: str
    alias: str
    run_id: str
    note: str | None = None


@dataclass(frozen=True, slots=True)
class PromotionReport:
    """The versions that serve from now on, one per model."""

    registrations: tuple[Registration, ...]

    def to_json(self) -> dict[str, Any]:
        """A JSON document with a schema version."""
        return {
            "schema_version": 1,
            "registrations": [asdict(one) for one in self.registrations],
        }


@dataclass(frozen=True, slots=True)
class _Incumbent:
    """The present champion: its version, if there is one, and why it cannot serve, if so."""

    version: str | None
    obstacle: str | None

    @property
    def serves(self) -> bool:
        return self.version is not None and self.obstacle is None


def give_aliases(
    config: Config, client: Any, versions: Mapping[AnyKind, Any], *, promote: bool
) -> tuple[Registration, ...]:
    """Make the versions of one training run champions or challengers, all of them alike.

    They become champions if `promote` asks for it, or if a present champion of the two that
    decide a night is missing or cannot serve this configuration: nights would fail until
    somebody moved the alias. Models of return times and of effects go with them; where none
    serves yet one is champion at once, for nights do without it until then.

    Parameters
    ----------
    client : an `MlflowClient` of `connect`.
    versions : the new model version of each kind.
    """
    incumbents = {kind: _incumbent(config, client, kind) for kind in versions}
    decisive = [one for kind, one in incumbents.items() if kind in KINDS]
    wins = promote or not all(one.serves for one in decisive)
    crowned = {
        kind: version
        for kind, version in versions.items()
        if wins or (kind not in KINDS and not incumbents[kind].serves)
    }
    for kind, version in versions.items():
        if kind not in crowned:
            client.set_registered_model_alias(model_name(config, kind), CHALLENGER, version.version)
    _crown(config, client, crowned)
    first = all(one.version is None for one in incumbents.values())
    asked = promote and all(one.obstacle is None for one in decisive)
    return tuple(
        Registration(
            kind=kind,
            model=model_name(config, kind),
            version=str(version.version),
            alias=CHAMPION if kind in crowned else CHALLENGER,
            run_id=str(version.run_id),
            note=_succession(incumbents[kind], str(version.version), asked=asked)
            if kind in crowned and not first
            else None,
        )
        for kind, version in versions.items()
    )


def promote_challengers(config: Config) -> tuple[Registration, ...]:
    """Make the challengers of the latest training champions, without training again.

    Parameters
    ----------
    config : the challengers must serve it.

    Returns
    -------
    One registration per model, with a note that names the version it took over from.

    Raises
    ------
    ArtifactError : MLflow is unreachable; there are no challengers, or of different runs; a
        challenger is damaged or was trained for another configuration. No alias has moved
        then.
    """
    check_store(config)
    check_reachable(config)
    with connect(config) as client:
        versions = _challengers(config, client)
        bundles: dict[AnyKind, AnyBundle] = {}
        for kind, version in versions.items():
            bundles[kind] = fetch_bundle(config, client, kind, version)
            place = f"challenger of {model_name(config, kind)}, version {version.version}"
            check_bundle(config, bundles[kind], place=place)
        former = {kind: _champion_version(config, client, kind) for kind in versions}
        _crown(config, client, versions)
    for kind, bundle in bundles.items():
        keep_copy(config, bundle, version=str(versions[kind].version))
    return tuple(
        Registration(
            kind=kind,
            model=model_name(config, kind),
            version=str(version.version),
            alias=CHAMPION,
            run_id=str(version.run_id),
            note=_succession(_Incumbent(former[kind], None), str(version.version), asked=True),
        )
        for kind, version in versions.items()
    )


def _champion_version(config: Config, client: Any, kind: AnyKind) -> str | None:
    found = find_alias(client, model_name(config, kind), CHAMPION)
    return None if found is None else str(found.version)


def _incumbent(config: Config, client: Any, kind: AnyKind) -> _Incumbent:
    from mlflow.exceptions import MlflowException

    found = find_alias(client, model_name(config, kind), CHAMPION)
    if found is None:
        return _Incumbent(None, None)
    obstacle = None
    try:
        if configuration_differences(config, fetch_bundle(config, client, kind, found)):
            obstacle = "was trained for another configuration and cannot serve"
    except (ArtifactError, MlflowException, OSError):
        # The store took the new bundles a moment ago, so it is this one that is lost.
        obstacle = "cannot be read"
    return _Incumbent(str(found.version), obstacle)


def _succession(incumbent: _Incumbent, version: str, *, asked: bool) -> str:
    """Why the champion changed, in a sentence."""
    if incumbent.version is None:
        return f"There was no champion; version {version} is champion."
    former = f"The champion (version {incumbent.version})"
    if incumbent.obstacle is not None:
        return f"{former} {incumbent.obstacle}; version {version} is champion."
    if asked:
        return f"Version {version} took over from version {incumbent.version}."
    return f"{former} gave way, as the models change together; version {version} is champion."


def _crown(config: Config, client: Any, versions: Mapping[AnyKind, Any]) -> None:
    """Move the champion alias to the versions; what challenged before them does no more."""
    for kind, version in versions.items():
        client.set_registered_model_alias(model_name(config, kind), CHAMPION, version.version)
    for kind in versions:
        name = model_name(config, kind)
        if find_alias(client, name, CHALLENGER) is not None:
            client.delete_registered_model_alias(name, CHALLENGER)


def _challengers(config: Config, client: Any) -> dict[AnyKind, Any]:
    """The challenger of each kind, all of one run; a run need not have more than the two."""
    found: dict[AnyKind, Any] = {}
    absent = []
    for kind in ALL_KINDS:
        name = model_name(config, kind)
        challenger = find_alias(client, name, CHALLENGER)
        if challenger is not None:
            found[kind] = challenger
        elif kind in KINDS:
            absent.append(name)
    if absent:
        raise ArtifactError(
            describe(
                "challengers",
                f"no version of {' and of '.join(absent)} has the alias challenger",
                expected="both models of a training run that came after the champion's",
                fix="run `winback train` for a new one, or keep the present champion",
            )
        )
    runs = {version.run_id for kind, version in found.items() if kind in KINDS}
    # What is left from an earlier run goes: what challenges now came without one.
    found = {kind: v for kind, v in found.items() if kind in KINDS or v.run_id in runs}
    if len(runs) > 1:
        versions = [f"{model_name(config, kind)} version {v.version}" for kind, v in found.items()]
        raise ArtifactError(
            describe(
                "challengers",
                f"{' and '.join(versions)} stem from different training runs",
                expected="both models of one run",
                fix="run `winback train`, or set both aliases in MLflow to versions of one run",
            )
        )
    return found
