"""Steps get the time since the reading before, and keep their order."""

import pytest

from pipelines import step_seconds
from pipelines.step_seconds import StepSeconds


def test_each_step_gets_the_time_since_the_last_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([10.0, 12.5, 13.0, 17.0])
    monkeypatch.setattr(step_seconds, "perf_counter", lambda: next(moments))
    steps = StepSeconds()
    for step in ("reading", "writing", "reading"):
        steps.end(step)
    assert list(steps.spent().items()) == [("reading", 6.5), ("writing", 0.5)]
