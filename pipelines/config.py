"""winback.toml: what it may hold, how it is read, and every fault in it at once."""

import hashlib
import tomllib
from dataclasses import dataclass as plain_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from features.errors import DataError, UsageError, describe
from features.source import ContactSource, CustomerSource, EventRules, EventSource
from features.spec import FeatureSpec
from features.stage import Stage
from scoring.policy import Caps, Channel, Experiment, ListRules, Offer
from training.plan import TrainingPlan

CONFIG_NAME = "winback.toml"
_FORBID = ConfigDict(extra="forbid")


def _check_timezone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError('an IANA time zone such as "Europe/Berlin"')
    return name


@dataclass(frozen=True, slots=True, config=_FORBID)
class Business:
    """The shop or app: its clock and its money."""

    name: str
    timezone: Annotated[str, AfterValidator(_check_timezone)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    gross_margin: Annotated[float, Field(gt=0, le=1)]
    acquisition_cost: Annotated[float, Field(ge=0)]


@dataclass(frozen=True, slots=True, config=_FORBID)
class Storage:
    """Where tables, lists and models live; relative paths start at winback.toml's folder."""

    warehouse: str = "warehouse"
    buckets: Annotated[int, Field(ge=1, le=4096)] = 16
    lists: str = "lists"
    mlflow_tracking_uri: str | None = None
    mlflow_experiment: str = "winback"
    registry_prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")] = "winback"


@dataclass(frozen=True, slots=True, config=_FORBID)
class Windows:
    """The label window: it starts `gap_days` after the as-of and lasts `horizon_days`."""

    gap_days: Annotated[float, Field(ge=0, le=365)] = 2.0
    horizon_days: Annotated[float, Field(gt=0, le=3650)] = 30.0


@dataclass(frozen=True, slots=True, config=_FORBID)
class Sources:
    """How the three kinds of raw files map to their contracts."""

    events: EventSource = Field(default_factory=EventSource)
    customers: CustomerSource = Field(default_factory=CustomerSource)
    contacts: ContactSource = Field(default_factory=ContactSource)


_Stages = Annotated[tuple[Stage, ...], Field(min_length=1)]
_SECTIONS: dict[str, Any] = {
    "schema_version": Literal[1],
    "business": Business,
    "storage": Storage,
    "events": EventRules,
    "windows": Windows,
    "stages": _Stages,
    "sources": Sources,
    "channels": dict[str, Channel],
    "offers": dict[str, Offer],
    "caps": Caps,
    "experiment": Experiment,
    "list": ListRules,
    "training": TrainingPlan,
}
_OPTIONAL: dict[str, Any] = {
    "storage": {},
    "windows": {},
    "sources": {},
    "channels": {},
    "caps": {},
    "experiment": {},
    "list": {},
    "training": {},
    "offers": {"none": {"label": "no offer"}},
}


@plain_dataclass(frozen=True, slots=True)
class Config:
    """A whole, valid configuration. `home` is the folder of winback.toml."""

    home: Path
    digest: str
    business: Business
    storage: Storage
    events: EventRules
    windows: Windows
    stages: tuple[Stage, ...]
    sources: Sources
    channels: dict[str, Channel]
    offers: dict[str, Offer]
    caps: Caps
    experiment: Experiment
    list: ListRules
    training: TrainingPlan

    @property
    def warehouse_path(self) -> str:
        """Folder or object-store URL of the warehouse."""
        return _locate(self.home, self.storage.warehouse)

    @property
    def lists_path(self) -> Path:
        """Folder that holds one folder per recall list."""
        return Path(_locate(self.home, self.storage.lists))

    @property
    def tracking_uri(self) -> str:
        """The MLflow tracking URI; by default an SQLite file beside the warehouse."""
        if self.storage.mlflow_tracking_uri:
            return self.storage.mlflow_tracking_uri
        return f"sqlite:///{(self.home / 'mlflow.db').resolve()}"

    def feature_spec(self) -> FeatureSpec:
        """The feature specification before any attribute value is known."""
        return FeatureSpec(
            event_types=self.events.types,
            activity=self.events.activity,
            orders=self.events.orders,
            refunds=self.events.refunds,
            channels=tuple(self.channels),
            attributes=tuple(self.sources.customers.attributes),
            vocabulary=tuple(() for _ in self.sources.customers.attributes),
        )


def _locate(home: Path, place: str) -> str:
    return place if "://" in place else str((home / place).resolve())


def load_config(path: Path) -> Config:
    """Read and validate a configuration file.

    Parameters
    ----------
    path : the file, or the folder that holds winback.toml.

    Raises
    ------
    UsageError : there is no such file.
    DataError : it is not TOML, or breaks a rule; the text lists every fault.
    """
    file = path / CONFIG_NAME if path.is_dir() else path
    if not file.is_file():
        raise UsageError(
            describe(
                str(file),
                "no configuration file",
                expected="a winback.toml",
                fix="run `winback init --preset retail`, or pass --config PATH",
            )
        )
    return parse_config(file.read_bytes(), place=str(file), home=file.resolve().parent)


def parse_config(raw: bytes, *, place: str, home: Path) -> Config:
    """Validate the bytes of a configuration file.

    Parameters
    ----------
    place : how errors name the file.
    home : folder that relative paths start at.

    Raises
    ------
    DataError : it is not TOML, or breaks a rule; the text lists every fault.
    """
    try:
        document = tomllib.loads(raw.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(
            describe(
                place,
                f"not a TOML document: {error}",
                expected="UTF-8 text in TOML 1.0",
                fix="correct the line named above",
            )
        ) from error
    sections, faults = _validate_sections(document)
    faults += _cross_faults(sections)
    if faults:
        listing = "\n".join(f"  {fault}" for fault in faults)
        noun = "fault" if len(faults) == 1 else "faults"
        raise DataError(
            f"{place}: {len(faults)} {noun}.\n{listing}\n"
            "Fix: correct these keys; `winback init --preset retail --stdout` shows a full example."
        )
    sections.pop("schema_version")
    return Config(home=home, digest=hashlib.sha256(raw).hexdigest(), **sections)


def _validate_sections(document: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    faults = [
        f"{key}: unknown key; expected one of {', '.join(_SECTIONS)}"
        for key in document
        if key not in _SECTIONS
    ]
    sections: dict[str, Any] = {}
    for key, kind in _SECTIONS.items():
        if key not in document and key not in _OPTIONAL:
            faults.append(f"{key}: missing; expected this section")
            continue
        value = document.get(key, _OPTIONAL.get(key))
        try:
            sections[key] = TypeAdapter(kind).validate_python(value)
        except ValidationError as error:
            faults += [_fault_text(key, fault) for fault in error.errors()]
    return sections, faults


def _fault_text(section: str, fault: Any) -> str:
    path = section
    for part in fault["loc"]:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part == "[key]":
            path += ".<key>"
        else:
            path += f".{part}"
    if fault["type"] == "unexpected_keyword_argument":
        return f"{path}: unknown key; expected one of this section's documented keys"
    expected = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "missing":
        return f"{path}: missing; expected a value"
    return f"{path}: {fault['input']!r} is not valid; expected {_lower(expected)}"


def _lower(text: str) -> str:
    text = text.removeprefix("Input should be ")
    return text[:1].lower() + text[1:]


def _cross_faults(sections: dict[str, Any]) -> list[str]:
    faults: list[str] = []
    events: EventRules | None = sections.get("events")
    stages: tuple[Stage, ...] = sections.get("stages", ())
    channels: dict[str, Channel] | None = sections.get("channels")
    offers: dict[str, Offer] | None = sections.get("offers")
    if events is not None:
        known = set(events.types)
        named: dict[str, tuple[str, ...]] = {
            "events.activity": events.activity,
            "events.orders": events.orders,
            "events.refunds": events.refunds,
            "events.unknown_as": (events.unknown_as,) if events.unknown_as else (),
        }
        for stage in stages:
            for field in ("entered_by", "active_on", "returns_by"):
                named[f"stages.{stage.name}.{field}"] = getattr(stage, field)
        for place, names in named.items():
            faults += [
                f"{place}: {name!r} is not in events.types; expected one of "
                f"{', '.join(events.types)}"
                for name in names
                if name not in known
            ]
        if len(known) != len(events.types):
            faults.append("events.types: a type is listed twice; expected each once")
        if events.unknown == "map" and events.unknown_as is None:
            faults.append('events.unknown_as: missing; expected a type, as unknown = "map"')
    if len({stage.name for stage in stages}) != len(stages):
        faults.append("stages: a name is used twice; expected unique names")
    if stages and all(stage.silence_days is None for stage in stages):
        faults.append("stages: no stage has silence_days; expected at least one")
    for stage in stages:
        if channels is not None:
            faults += [
                f"stages.{stage.name}.channels: {name!r} is not a channel; "
                f"expected one of {', '.join(channels)}"
                for name in stage.channels
                if name not in channels
            ]
        if offers is not None:
            faults += [
                f"stages.{stage.name}.offers: {name!r} is not an offer; "
                f"expected one of {', '.join(offers)}"
                for name in stage.offers
                if name not in offers
            ]
    if offers is not None and "none" not in offers:
        faults.append('offers: no "none"; expected an offer of that name for contacts without one')
    faults += _experiment_faults(sections.get("experiment"))
    return faults


def _experiment_faults(experiment: Experiment | None) -> list[str]:
    if experiment is not None and experiment.ghost_share + experiment.explore_share >= 1:
        return ["experiment: ghost_share + explore_share is 1 or more; expected less than 1"]
    return []
