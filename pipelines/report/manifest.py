"""manifest.json: what a list folder holds and what it was made from."""

import hashlib
import json
from collections.abc import Mapping, Sequence

from models.bundle import installed_version
from pipelines.report.summary import NightSummary
from scoring.list_files import ListFile
from scoring.recall_list import SCHEMA_VERSION

MANIFEST_NAME = "manifest.json"


def build_manifest(
    summary: NightSummary, files: Sequence[ListFile], *, tables: Mapping[str, int]
) -> ListFile:
    """The manifest of a list folder; it names every other file with its SHA-256.

    Parameters
    ----------
    tables : Delta version at which each table was read.
    """
    document = {
        "schema_version": SCHEMA_VERSION,
        "winback_version": installed_version(),
        **summary.to_json(),
        "tables": dict(sorted(tables.items())),
        "files": {
            file.name: {
                "bytes": len(file.content),
                "sha256": hashlib.sha256(file.content).hexdigest(),
            }
            for file in files
        },
    }
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    return ListFile(MANIFEST_NAME, f"{text}\n".encode())
