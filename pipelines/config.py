"""winback.toml: what it may hold, how it is read, and every fault in it at once."""

import hashlib
import json
import tomllib
from dataclasses import dataclass as plain_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from features.errors import DataError, UsageError, describe
from features.source import (
    AssignmentSource,
    ContactSource,
    CustomerSource,
    EventRules,
    EventSource,
)
from features.spec import FeatureSpec
from features.stage import Stage
from pipelines.config_faults import nearest_name, non_finite_faults, one_of, section_faults
from pipelines.config_rules import rule_faults
from scoring.export_plan import Export
from scoring.language import Language
from scoring.policy import (
    Caps,
    Channel,
    Experiment,
    FollowUp,
    ListRules,
    NightLimits,
    Offer,
    Waiting,
)
from training.effect_plan import EffectPlan
from training.plan import TrainingPlan

CONFIG_NAME = "winback.toml"
_FORBID = ConfigDict(extra="forbid")
_Place = Annotated[str, Field(min_length=1)]


def _check_timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        hint = nearest_name(name, available_timezones())
        raise ValueError(
            f'an IANA time zone such as "Europe/Berlin"; {hint}'.rstrip("; ")
        ) from error
    return name


@dataclass(frozen=True, slots=True, config=_FORBID)
class Business:
    """The shop or app: its clock, its money, its language and its word for an order.

    `order_name` is how operators call one order, in the singular: order, loan, booking.
    `language` is that of reports, reasons and workbooks.
    """

    name: str
    timezone: Annotated[str, AfterValidator(_check_timezone)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    gross_margin: Annotated[float, Field(gt=0, le=1)]
    acquisition_cost: Annotated[float, Field(ge=0)]
    order_name: Annotated[str, Field(min_length=1, max_length=30)] = "order"
    language: Language = "en"


@dataclass(frozen=True, slots=True, config=_FORBID)
class Storage:
    """Where tables, lists and models live; relative paths start at winback.toml's folder."""

    warehouse: _Place = "warehouse"
    buckets: Annotated[int, Field(ge=1, le=4096)] = 16
    lists: _Place = "lists"
    mlflow_tracking_uri: str | None = None
    mlflow_experiment: _Place = "winback"
    registry_prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")] = "winback"


@dataclass(frozen=True, slots=True, config=_FORBID)
class Windows:
    """The label window: it starts `gap_days` after the as-of and lasts `horizon_days`."""

    gap_days: Annotated[float, Field(ge=0, le=365)] = 2.0
    horizon_days: Annotated[float, Field(gt=0, le=3650)] = 30.0


@dataclass(frozen=True, slots=True, config=_FORBID)
class Sources:
    """How the kinds of raw files map to their contracts."""

    events: EventSource = Field(default_factory=EventSource)
    customers: CustomerSource = Field(default_factory=CustomerSource)
    contacts: ContactSource = Field(default_factory=ContactSource)
    assignments: AssignmentSource = Field(default_factory=AssignmentSource)


_Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]
_Stages = Annotated[tuple[Stage, ...], Field(min_length=1)]
_SECTIONS: dict[str, Any] = {
    "schema_version": Literal[1],
    "business": Business,
    "storage": Storage,
    "events": EventRules,
    "windows": Windows,
    "stages": _Stages,
    "sources": Sources,
    "channels": dict[_Name, Channel],
    "offers": dict[_Name, Offer],
    "caps": Caps,
    "limits": NightLimits,
    "follow_up": FollowUp,
    "waiting": Waiting,
    "experiment": Experiment,
    "list": ListRules,
    "exports": dict[_Name, Export],
    "training": TrainingPlan,
    "effects": EffectPlan,
}
_OPTIONAL: dict[str, Any] = {
    "storage": {},
    "windows": {},
    "sources": {},
    "channels": {},
    "caps": {},
    "limits": {},
    "follow_up": {},
    "waiting": {},
    "experiment": {},
    "list": {},
    "exports": {},
    "training": {},
    "effects": {},
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
    limits: NightLimits
    follow_up: FollowUp
    waiting: Waiting
    experiment: Experiment
    list: ListRules
    exports: dict[str, Export]
    training: TrainingPlan
    effects: EffectPlan

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
        """The MLflow tracking URI; by default an SQLite file beside winback.toml."""
        if self.storage.mlflow_tracking_uri:
            return self.storage.mlflow_tracking_uri
        return f"sqlite:///{(self.home / 'mlflow.db').resolve()}"

    @property
    def control_days(self) -> float:
        """Days from its list on in which a ghost control is left alone."""
        configured = self.experiment.control_days
        window = self.windows.gap_days + self.windows.horizon_days
        return window if configured is None else configured

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
        raise _no_configuration(file)
    return parse_config(file.read_bytes(), place=str(file), home=file.resolve().parent)


def _no_configuration(file: Path) -> UsageError:
    """The fault of a file that is not there, or of a folder without winback.toml."""
    whole = file.resolve()
    in_folder = file.name == CONFIG_NAME
    return UsageError(
        describe(
            str(whole.parent if in_folder else whole),
            f"no configuration file {CONFIG_NAME} in this folder"
            if in_folder
            else "no configuration file of this name",
            expected="a configuration that `winback init` wrote",
            fix="run `winback init --preset retail`, or pass --config FOLDER",
        )
    )


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
    document = _read_document(raw, place=place)
    sections, faults = _validate_sections(document)
    faults += rule_faults(sections)
    if faults:
        listing = "\n".join(f"  {fault}" for fault in faults)
        noun = "fault" if len(faults) == 1 else "faults"
        raise DataError(
            f"{place}: {len(faults)} {noun}.\n{listing}\n"
            "Fix: correct these keys; `winback init --preset retail --stdout` shows a full example."
        )
    sections.pop("schema_version")
    return Config(home=home, digest=hashlib.sha256(raw).hexdigest(), **sections)


def _read_document(raw: bytes, *, place: str) -> dict[str, Any]:
    try:
        return tomllib.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        fault = f"line {line} is not UTF-8 text"
        fix = "save the file as UTF-8"
        cause: Exception = error
    except tomllib.TOMLDecodeError as error:
        text = str(error)
        fault = f"not a TOML document: {text[:1].lower()}{text[1:]}"
        fix = "correct the line named above; text values stand in quotes"
        cause = error
    raise DataError(describe(place, fault, expected="UTF-8 text in TOML 1.0", fix=fix)) from cause


def _validate_sections(document: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    faults = [
        f"{key}: unknown key; {one_of(key, tuple(_SECTIONS))}"
        for key in document
        if key not in _SECTIONS
    ]
    sections: dict[str, Any] = {}
    for key, kind in _SECTIONS.items():
        if key not in document and key not in _OPTIONAL:
            faults.append(f"{key}: missing; expected this section")
            continue
        value = document.get(key, _OPTIONAL.get(key))
        endless = non_finite_faults(value, (key,), document)
        faults += endless.values()
        try:
            # Strict, so that "3" is no number; through JSON, where lists may be tuples.
            section = TypeAdapter(kind).validate_json(
                json.dumps(value, default=_iso_text), strict=True
            )
        except ValidationError as error:
            faults += section_faults(key, kind, error.errors(), document, told=endless)
        else:
            if not endless:
                sections[key] = section
    return sections, faults


def _iso_text(value: Any) -> str:
    """TOML's own dates and times, written without quotes."""
    return str(value.isoformat())
