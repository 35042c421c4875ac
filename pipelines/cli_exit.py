"""How a command ends: a message on stderr, one JSON document if asked for, an exit code."""

import errno
import os
import sys
import traceback
from contextlib import suppress
from typing import NoReturn

from typer.exceptions import TyperException

from features.errors import ArtifactError, UsageError, WinbackError, describe

_REFUSED = frozenset(
    (
        errno.EACCES,
        errno.EPERM,
        errno.EROFS,
        errno.ENOSPC,
        errno.EDQUOT,
        errno.ENOTDIR,
        errno.EISDIR,
    )
)
"""What a file system refuses; other faults of the system are bugs of ours."""


def end_with_fault(error: WinbackError) -> NoReturn:
    """Say what is wrong and end with the fault's exit code."""
    _print_error(type(error).__name__, error.exit_code, str(error))
    sys.stderr.write(f"winback: {error}\n")
    raise SystemExit(error.exit_code)


def end_with_system_fault(error: OSError) -> NoReturn:
    """End with a message if the file system refused something, else as with a bug."""
    if error.errno not in _REFUSED:
        end_with_bug(error)
    end_with_fault(
        ArtifactError(
            describe(
                str(error.filename or "output"),
                f"the file system refused it: {os.strerror(error.errno or 0).lower()}",
                expected="a place that this user may read and write, with room left",
                fix="correct the permissions or the path, or free some space",
            )
        )
    )


def end_with_bug(error: Exception) -> NoReturn:
    """Ask for a report. The JSON names only the class: a text may hold customer data."""
    _print_error(
        "Bug", 1, f"winback: a bug ({type(error).__name__}). Fix: report the lines on stderr."
    )
    sys.stderr.write(
        "winback: this is a bug, nothing you did wrong. Fix: report the lines below.\n"
    )
    traceback.print_exception(error)
    raise SystemExit(1)


def end_after_typer(stop: SystemExit) -> NoReturn:
    """Follow typer, which has told the user what is wrong, but not in JSON."""
    cause = stop.__context__
    if isinstance(cause, BrokenPipeError):
        end_without_reader()
    if isinstance(cause, TyperException):
        _print_error(UsageError.__name__, cause.exit_code, cause.format_message())
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        end_without_reader()
    except OSError as error:
        end_with_system_fault(error)
    raise stop


def end_without_reader() -> NoReturn:
    """The reader of our output has gone (`winback ... | head`): nothing is wrong."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise SystemExit(0)


def _print_error(kind: str, exit_code: int, message: str) -> None:
    if "--json" not in sys.argv:
        return
    from pipelines.terminal import print_json

    # Where stdout itself is at fault, stderr and the exit code still tell.
    with suppress(OSError):
        print_json(
            {
                "schema_version": 1,
                "error": {"kind": kind, "exit_code": exit_code, "message": message},
            }
        )
