"""Putting chosen windows into winback.toml without touching anything else in it."""

import os
import tempfile
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.items import InlineTable

from features.errors import DataError, UsageError, describe
from pipelines.config import CONFIG_NAME, Config, parse_config
from pipelines.define import DefinitionReport, Written
from training.definition import DefinitionPlan, StageDefinition
from training.definition_window import Opinion

_MARK = "winback define "
"""Begins the part of a line's comment that tells where the window is from."""


def write_windows(place: Path, config: Config, report: DefinitionReport) -> tuple[Written, ...]:
    """Put the window of the asked opinion into every stage that has one.

    Comments and layout stay; the comment behind `silence_days` tells the opinion and the
    as-of. The new file is validated, then takes the old one's place in one step.

    Parameters
    ----------
    place : winback.toml, or its folder.
    config : what was read from it before the report was made.
    report : the report.

    Raises
    ------
    DataError : no stage has a proposal; the text says why of each.
    UsageError : the file has changed since it was read.
    """
    file = (place / CONFIG_NAME if place.is_dir() else place).resolve()
    plan = report.definition.plan
    chosen = {
        stage.name: opinion
        for stage in report.definition.stages
        if (opinion := asked_opinion(stage, plan)).window_days is not None
    }
    if not chosen:
        raise _nothing_proposed(report)
    raw = file.read_bytes()
    if parse_config(raw, place=str(file), home=config.home).digest != config.digest:
        raise _changed(file)
    new, written = _edited(raw, chosen, plan, report.as_of)
    parse_config(new, place=f"{file} as it would become", home=config.home)
    _replace(file, new)
    return written


def asked_opinion(stage: StageDefinition, plan: DefinitionPlan) -> Opinion:
    """The opinion that `--write` goes by."""
    return next(one for one in stage.opinions if one.source == plan.opinion)


def _edited(
    raw: bytes, chosen: dict[str, Opinion], plan: DefinitionPlan, as_of: date
) -> tuple[bytes, tuple[Written, ...]]:
    text = raw.decode("utf-8-sig")
    head = raw[: len(raw) - len(text.encode())]
    document = tomlkit.parse(text)
    written = []
    tables: Any = document["stages"]
    for table in tables:
        name = str(table["name"])
        if name not in chosen:
            continue
        days = chosen[name].window_days or 0.0
        written.append(Written(name, float(table["silence_days"]), days, plan.opinion))
        _set_window(table, days, plan, as_of)
    return head + tomlkit.dumps(document).encode(), tuple(written)


def _set_window(table: Any, days: float, plan: DefinitionPlan, as_of: date) -> None:
    """Replace the number; its comment goes on and stays in its column if there is room."""
    old = table.item("silence_days") if not isinstance(table, InlineTable) else None
    table["silence_days"] = int(days) if days == int(days) else days
    if old is None:
        return
    trivia, new = old.trivia, table.item("silence_days")
    room = len(trivia.comment_ws) + len(old.as_string()) - len(new.as_string())
    blanks = " " * max(room, 1) if trivia.comment else "  "
    new.trivia.comment_ws, new.trivia.comment = blanks, _comment(trivia.comment, plan, as_of)


def _comment(old: str, plan: DefinitionPlan, as_of: date) -> str:
    """The line's own words, and behind them where the window is from."""
    own = old.lstrip("#").strip().split(_MARK)[0].rstrip(" ;")
    rule = (
        f"return rule, at most {100 * plan.q:g} % within {plan.horizon_days} days"
        if plan.opinion == "return rule"
        else f"D-curve, late cost {plan.late_cost:g}"
    )
    source = f"{_MARK}{as_of}: {rule}"
    return f"# {own}; {source}" if own else f"# {source}"


def _replace(file: Path, content: bytes) -> None:
    """Write beside the file, then rename: a reader sees the old file or the new one."""
    handle, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).chmod(file.stat().st_mode)
        Path(name).replace(file)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise


def _nothing_proposed(report: DefinitionReport) -> DataError:
    plan = report.definition.plan
    reasons = [
        f"{stage.name}: {asked_opinion(stage, plan).reason}" for stage in report.definition.stages
    ]
    return DataError(
        describe(
            "--write",
            f"the {plan.opinion} proposes no window for any of {len(reasons)} stages",
            examples=reasons,
            expected="a proposal for at least one stage",
            fix="choose another --horizon, --q or --opinion, or set silence_days by hand",
        )
    )


def _changed(file: Path) -> UsageError:
    return UsageError(
        describe(
            str(file),
            "the file was changed while the windows were computed",
            expected="the configuration that was read",
            fix="run `winback define --write` again",
        )
    )
