"""The error family: every message names place, counts, examples, expectation and fix."""

from collections.abc import Sequence

MAX_EXAMPLES = 3


class WinbackError(Exception):
    """A fault winback can name; its exit code tells scripts what kind it is."""

    exit_code = 1


class UsageError(WinbackError):
    """The command was called in a way that cannot work."""

    exit_code = 2


class DataError(WinbackError):
    """The data or the configuration breaks its contract."""

    exit_code = 3


class ArtifactError(WinbackError):
    """A warehouse table, a model or a list is missing or invalid."""

    exit_code = 4


class GateError(WinbackError):
    """The command ran, but a quality gate failed."""

    exit_code = 5


def describe(
    place: str, fault: str, *, expected: str, fix: str, examples: Sequence[object] = ()
) -> str:
    """One error text in the project's form.

    Parameters
    ----------
    place : the file, key, table or command where the fault is.
    fault : what is wrong, with counts.
    expected : what would have been right.
    fix : the next action.
    examples : offending values; the first three are shown. Never pass customer data
        other than the row's place (file and row number).
    """
    shown = ", ".join(str(example) for example in examples[:MAX_EXAMPLES])
    examples_text = f" ({shown})" if shown else ""
    return f"{place}: {fault}{examples_text}. Expected {expected}. Fix: {fix}."
