"""How long work tells how far it is, without knowing about terminals."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many parts are done, and how many there are."""


def silent(_task: str, _done: int, _total: int) -> None:
    """Report nothing."""
