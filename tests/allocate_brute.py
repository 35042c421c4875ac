"""Allocation in the plainest way: every combination of actions, and tiny problems to try it on."""

from itertools import product

import numpy as np

from scoring.allocate.problem import GroupLimits, Problem, no_groups


def best_of_all(problem: Problem) -> tuple[float, float]:
    """Smallest sum of missed leasts, and the largest value among choices that miss no more.

    Leasts must be counts (above 0, weights 0 or 1); combinations above any limit are out.
    """
    n, n_actions = problem.value.shape
    groups = problem.groups
    best = (np.inf, -np.inf)
    for actions in product(range(-1, n_actions), repeat=n):
        chosen = [(row, action) for row, action in enumerate(actions) if action >= 0]
        if any(not problem.value[row, action] > 0 for row, action in chosen):
            continue
        if sum(float(problem.cost[row, action]) for row, action in chosen) > problem.budget:
            continue
        seats = [0] * len(problem.seats)
        counts = [0.0] * len(groups.least)
        for row, action in chosen:
            seats[problem.channel_of[action]] += 1
            for line in range(len(counts)):
                counts[line] += groups.weight[line, groups.group[row]]
        if any(used > limit for used, limit in zip(seats, problem.seats, strict=True)):
            continue
        if any(used > limit + 1e-9 for used, limit in zip(counts, groups.most, strict=True)):
            continue
        missed = sum(
            max(limit - used, 0.0) for used, limit in zip(counts, groups.least, strict=True)
        )
        value = sum(float(problem.value[row, action]) for row, action in chosen)
        if missed < best[0] - 1e-9 or (missed < best[0] + 1e-9 and value > best[1]):
            best = (missed, value)
    return best


def tiny_problem(rng: np.random.Generator) -> Problem:
    """Up to six customers with up to three actions; half of them with groups."""
    n, n_actions = int(rng.integers(1, 7)), int(rng.integers(1, 4))
    n_channels = int(rng.integers(1, n_actions + 1))
    value = rng.integers(-1, 8, (n, n_actions)).astype(np.float32)
    value[rng.random(value.shape) < 0.15] = -np.inf
    return Problem(
        value=value,
        cost=rng.integers(0, 5, (n, n_actions)).astype(np.float32),
        channel_of=np.sort(rng.integers(0, n_channels, n_actions)),
        budget=float(rng.choice([0.0, 1.0, 5.0, 9.0, np.inf])),
        seats=rng.choice([0.0, 1.0, 2.0, 4.0, np.inf], n_channels),
        groups=_tiny_groups(rng, n) if rng.random() < 0.5 else no_groups(n),
    )


def _tiny_groups(rng: np.random.Generator, n: int) -> GroupLimits:
    return GroupLimits(
        group=rng.integers(0, 3, n).astype(np.int32),
        weight=(rng.random((2, 3)) < 0.6).astype(np.float64),
        least=rng.choice([-np.inf, 1.0, 2.0], 2),
        most=rng.choice([np.inf, 2.0, 3.0], 2),
    )
