"""Lists whose decisions are gone: without them tonight's list would break the caps."""

import math
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from features.errors import ArtifactError, describe
from features.warehouse import Warehouse
from pipelines.earlier_lists import decided_days
from pipelines.list_folder import list_days
from scoring.decisions import TABLE_NAME
from scoring.publishing import LIST_FILE, list_folder


def check_decisions(warehouse: Warehouse, lists: Path, *, day: date, reach_days: float) -> None:
    """Refuse a night that cannot know what an earlier list has asked for.

    Decisions are recorded before a list appears. A list without them means that the table
    was lost or put back to an older state: who was contacted, and who is a control, would be
    forgotten, and the same customers be contacted again.

    Parameters
    ----------
    lists : folder of the lists.
    day : tonight's; later lists are not looked at.
    reach_days : how long an earlier list matters to tonight's.

    Raises
    ------
    ArtifactError : a list of somebody has no decisions in the warehouse; names its day.
    """
    oldest = day - timedelta(days=math.ceil(reach_days))
    decided = set(decided_days(warehouse))
    lost = [
        one.isoformat()
        for one in list_days(lists)
        if oldest <= one < day and one not in decided and _lists_somebody(lists, one)
    ]
    if lost:
        noun = "list has" if len(lost) == 1 else "lists have"
        raise ArtifactError(
            describe(
                f"{warehouse.root}, table {TABLE_NAME}",
                f"{len(lost)} earlier {noun} no decisions here, so that tonight's would contact "
                "the same customers again",
                examples=lost,
                expected=f"the decisions of every list in {lists}",
                fix="restore the table, or run `winback nightly` for these days again; if nothing "
                "of these lists was sent, move their folders away",
            )
        )


def _lists_somebody(lists: Path, day: date) -> bool:
    """Whether a list has rows; one that cannot be read may have some."""
    try:
        return bool(pq.read_metadata(list_folder(lists, day.isoformat()) / LIST_FILE).num_rows)
    except (OSError, pa.ArrowInvalid):
        return True
