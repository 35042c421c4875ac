"""The ground truth of a simulation, written apart from what the product reads.

Latents of the customers; of every contact its chance and its effect; of every assignment
its chance and the state that only the simulator knew. One-step chances of return under
each action come from `Population.one_step`.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.simulate.log import Rows
from pipelines.simulate.names import Naming, coded, customer_ids, ids_of, numbered
from pipelines.simulate.population import People

FACTS_NAME = "truth.json"
LATENTS, CONTACTS, ASSIGNMENTS = "latents", "contact-truth", "assignment-truth"
_KNOWN = ("first", "flags", "device", "zone", "city", "age", "way")
"""Columns of the latents that the product may know, and has from the other files."""


def truth_tables(rows: Rows, people: People, latents: Any, naming: Naming) -> dict[str, Any]:
    """The truth of one part, as Arrow tables by name."""
    contacts, assignments = rows.contacts, rows.assignments
    hidden = {
        name: pa.array(values) for name, values in latents._asdict().items() if name not in _KNOWN
    }
    return {
        LATENTS: pa.table({"customer_id": customer_ids(people.first, len(people)), **hidden}),
        CONTACTS: pa.table(
            {
                "contact_id": numbered("k", contacts.customer, contacts.number),
                "customer_id": ids_of(contacts.customer, people),
                "channel": coded(contacts.channel, naming.channels),
                "offer": coded(contacts.offer, naming.offers),
                "propensity": pa.array(contacts.propensity),
                "effect": pa.array(contacts.effect),
            }
        ),
        ASSIGNMENTS: pa.table(
            {
                "assignment_id": numbered("a", assignments.customer, assignments.number),
                "customer_id": ids_of(assignments.customer, people),
                "propensity": pa.array(assignments.propensity),
                "state": coded(np.minimum(assignments.state, 1), ("active", "inactive")),
            }
        ),
    }


def write_truth(tables: dict[str, Any], folder: Path, part: int) -> None:
    """One Parquet file per table and part."""
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}-{part:05d}.parquet", compression="zstd")


def begin_truth(facts: dict[str, Any], folder: Path) -> None:
    """Replace an earlier truth, and nothing else, by what the simulation was asked for."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in (LATENTS, CONTACTS, ASSIGNMENTS):
        for stale in folder.glob(f"{name}-?????.parquet"):
            stale.unlink()
    (folder / FACTS_NAME).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
