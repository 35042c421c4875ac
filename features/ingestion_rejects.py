"""Counting rejects, stopping at too many, and listing where they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np

from features.errors import MAX_EXAMPLES, DataError
from features.ingestion_commit import RejectedRow
from features.ingestion_read import RawRows
from features.ingestion_rules import UNREADABLE_RULES, Rule
from features.ingestion_stage import STAGED
from features.ingestion_summary import RejectCount


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A file that has been staged: its path as given and what was read.

    `advice` says by rule code what to write in the configuration instead.
    """

    path: str
    rows: RawRows
    advice: Mapping[int, str]

    def row_numbers(self, rows: Sequence[int]) -> list[int]:
        """Numbers among all data rows, of rows numbered among the readable ones."""
        if not self.rows.readable_only or not self.rows.unreadable:
            return list(rows)
        broken = np.array([row for row, _ in self.rows.unreadable], dtype=np.int64)
        readable_before = broken - np.arange(1, len(broken) + 1)
        given = np.asarray(rows, dtype=np.int64)
        shift = np.searchsorted(readable_before, given, side="left")
        return [int(number) for number in given + shift]


def count_rejects(
    connection: duckdb.DuckDBPyConnection, rules: Sequence[Rule], files: Sequence[ReadFile]
) -> tuple[RejectCount, ...]:
    """Rejected rows by rule and column, most frequent first."""
    counts: list[RejectCount] = []
    found = connection.execute(
        f"SELECT rule, count(*), min({{'file': file, 'row': row}}, {MAX_EXAMPLES}) "
        f"FROM {STAGED} WHERE rule > 0 GROUP BY rule"
    ).fetchall()
    for code, rows, places in found:
        rule = rules[code - 1]
        examples = []
        for place in places:
            file = files[place["file"]]
            examples.append(f"{file.path}:{file.row_numbers([place['row']])[0]}")
        advice = next((file.advice[code] for file in files if code in file.advice), "")
        meaning = f"{rule.meaning}; {advice}" if advice else rule.meaning
        counts.append(RejectCount(rule.name, rule.column, rows, meaning, tuple(examples)))
    for name, meaning in UNREADABLE_RULES.items():
        places = [
            f"{file.path}:{row}"
            for file in files
            for row, rule_name in file.rows.unreadable
            if rule_name == name
        ]
        if places:
            examples = places[:MAX_EXAMPLES]
            counts.append(RejectCount(name, "", len(places), meaning, tuple(examples)))
    return tuple(sorted(counts, key=lambda count: (-count.rows, count.rule, count.column)))


def check_share(
    rejects: Sequence[RejectCount], *, rows_in: int, max_share: float, kind: str
) -> None:
    """Stop the ingestion if too many rows are rejected.

    Raises
    ------
    DataError : the rejected share of `rows_in` is above `max_share`; lists every rule with
        its count and up to three places.
    """
    rejected = sum(count.rows for count in rejects)
    if rejected <= max_share * rows_in:
        return
    listing = "\n".join(
        f"  {count.rule}{f' [{count.column}]' if count.column else ''}: {count.rows:,} "
        f"{'row' if count.rows == 1 else 'rows'} ({', '.join(count.examples)}): {count.meaning}"
        for count in rejects
    )
    raise DataError(
        f"ingest {kind}: {rejected:,} of {rows_in:,} rows ({rejected / rows_in:.2%}) are rejected; "
        f"nothing was stored.\n{listing}\n"
        f"Expected at most {max_share:.2%}. Fix: correct the file or [sources.{kind}], "
        "or allow more with --max-reject-share."
    )


def list_rejects(
    connection: duckdb.DuckDBPyConnection, rules: Sequence[Rule], files: Sequence[ReadFile]
) -> list[RejectedRow]:
    """Every rejected row, by file and row."""
    listed: list[RejectedRow] = []
    for number, file in enumerate(files):
        found = connection.execute(
            f"SELECT row, rule FROM {STAGED} WHERE rule > 0 AND file = {number}"
        ).fetchall()
        rows = file.row_numbers([row for row, _ in found])
        for row, (_, code) in zip(rows, found, strict=True):
            rule = rules[code - 1]
            listed.append(RejectedRow(file.path, row, rule.name, rule.column))
        listed += [RejectedRow(file.path, row, rule, "") for row, rule in file.rows.unreadable]
    return sorted(listed, key=lambda row: (row.file, row.row))
