"""A simulated business whose truth is known: the demo's data and the tests' measure."""

from pipelines.simulate.app import SimulationPlan, SimulationSummary, run_simulation, simulate_app

__all__ = ["SimulationPlan", "SimulationSummary", "run_simulation", "simulate_app"]
