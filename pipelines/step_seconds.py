"""How long each step of a run took; told to who runs it, kept out of everything written."""

from time import perf_counter


class StepSeconds:
    """A watch that is read at the end of each step."""

    def __init__(self) -> None:
        self._since = perf_counter()
        self._spent: dict[str, float] = {}

    def end(self, step: str) -> None:
        """Count the time since the last reading to this step."""
        moment = perf_counter()
        self._spent[step] = self._spent.get(step, 0.0) + moment - self._since
        self._since = moment

    def spent(self) -> dict[str, float]:
        """Seconds by step, in order of their first ends."""
        return dict(self._spent)
