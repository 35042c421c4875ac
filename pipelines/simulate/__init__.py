"""A simulated business whose truth is known: the demo's data and the tests' measure."""

from pipelines.simulate.app import run_simulation, simulate_app, simulate_plan
from pipelines.simulate.dirt import REAL_LIFE, Dirt
from pipelines.simulate.plan import SimulationPlan, SimulationSummary
from pipelines.simulate.worlds import WorldPlan

__all__ = [
    "REAL_LIFE",
    "Dirt",
    "SimulationPlan",
    "SimulationSummary",
    "WorldPlan",
    "run_simulation",
    "simulate_app",
    "simulate_plan",
]
