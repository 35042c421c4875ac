"""The terminal: progress on stderr, results on stdout, JSON when asked for."""

import json
import sys
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console, Group
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from features.progress import Progress as ProgressCallback
from features.progress import silent

_PLAIN_WIDTH = 160


class _ResultConsole(Console):
    """A console whose reader may leave early (`winback ... | head`)."""

    def on_broken_pipe(self) -> None:
        """Hand the fault on; rich would end the program with exit code 1."""
        raise BrokenPipeError


def result_console() -> Console:
    """The console for results; wide when the output is a file or a pipe.

    Square brackets are printed as they are: customer ids and file names may hold some.
    """
    return _ResultConsole(
        file=sys.stdout,
        width=None if sys.stdout.isatty() else _PLAIN_WIDTH,
        highlight=False,
        markup=False,
    )


def log_console() -> Console:
    """The console for messages and progress."""
    return Console(file=sys.stderr, highlight=False)


@contextmanager
def progress_bars(*, quiet: bool = False) -> Iterator[ProgressCallback]:
    """Show a bar per task on stderr; without a terminal, a line as each task ends.

    Parameters
    ----------
    quiet : report nothing.
    """
    if quiet:
        yield silent
    elif sys.stderr.isatty():
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=log_console(),
        ) as bars:
            tasks: dict[str, Any] = {}

            def update(task: str, done: int, total: int) -> None:
                if task not in tasks:
                    tasks[task] = bars.add_task(task, total=total)
                bars.update(tasks[task], completed=done, total=total)

            yield update
    else:
        finished: set[str] = set()

        def announce(task: str, done: int, total: int) -> None:
            if done >= total and task not in finished:
                finished.add(task)
                sys.stderr.write(f"{task}: {done} of {total}\n")
                sys.stderr.flush()

        yield announce


def print_json(document: dict[str, Any]) -> None:
    """Write one JSON document to stdout; characters it cannot encode are escaped."""
    text = json.dumps(document, indent=2, ensure_ascii=False, default=str)
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        text = json.dumps(document, indent=2, default=str)
    sys.stdout.write(text + "\n")


def text_table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    numeric: int = -1,
    whole: Container[str] = (),
) -> Group:
    """A table for the terminal below a line with its title.

    A title of the table itself would be broken at the table's width. Cells too wide for
    their column go on in the next line: an id is never cut.

    Parameters
    ----------
    numeric : columns from this index on are right-aligned; -1 for none.
    whole : columns that stay on one line, besides the first one and numbers.
    """
    table = Table(header_style="bold")
    for index, column in enumerate(columns):
        right = 0 <= numeric <= index
        one_line = right or index == 0 or column in whole
        table.add_column(
            column,
            justify="right" if right else "left",
            no_wrap=one_line,
            overflow="ellipsis" if one_line else "fold",
        )
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    return Group(Text(title, style="bold"), table)
