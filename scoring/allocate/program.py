"""The closest calls as a mixed-integer program, solved by HiGHS."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array, hstack

from scoring.allocate.options import Options
from scoring.allocate.problem import Problem
from scoring.allocate.quiet import quiet_stdout
from scoring.allocate.search import least_prices
from scoring.allocate.usage import n_capped, room_left, total_value

Float64Array = NDArray[np.float64]
Int16Array = NDArray[np.int16]

CLOSE = 1e-8
"""Differences of this share of the goal do not matter."""

SLACKS = (0.0, 2e-6)
"""Taken off the money left, in units of the dearest option: HiGHS keeps limits to 1e-6 only,
and is asked again with a little less where that shows."""


@dataclass(frozen=True, slots=True)
class Program:
    """How hard to try.

    Attributes
    ----------
    nodes : of the search tree.
    goal : an upper bound of the whole problem; sets the scale.
    """

    nodes: int
    goal: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a program.

    Attributes
    ----------
    bound : on what any choice that keeps the others' actions is worth; null without one.
    finished : whether the best answer was proven within the nodes.
    """

    bound: float | None
    finished: bool


def solve_options(
    problem: Problem, action: Int16Array, options: Options, program: Program
) -> Answer:
    """Give the options' customers the actions of the best program, within what is left.

    Parameters
    ----------
    action : of everybody else; the options' customers have none yet. Changed in place if
        an answer is found that keeps the limits.
    """
    if not len(options.row):
        return Answer(bound=None, finished=True)
    bound: float | None = None
    finished = True
    for slack in SLACKS:
        taken, high, ended = _answer(problem, action, options, program, slack)
        bound = high if bound is None else bound
        finished &= ended
        if taken is None:
            break
        rows = options.row[taken]
        action[rows] = options.action[taken]
        if (room_left(problem, action)[: n_capped(problem)] >= 0.0).all():
            break
        action[options.row] = -1
    return Answer(bound=bound, finished=finished)


def _answer(
    problem: Problem, action: Int16Array, options: Options, program: Program, slack: float
) -> tuple[NDArray[np.bool_] | None, float | None, bool]:
    """Which options HiGHS takes, its bound, and whether it came to its end."""
    fixed = total_value(problem, action)
    room = room_left(problem, action)
    # In units of the dearest option, so that tolerances mean the same in every currency.
    cost = problem.cost[options.row, options.action].astype(np.float64)
    dearest = float(cost.max()) or 1.0
    room[0] = min(room[0], 2.0 * float(cost.sum())) / dearest - slack
    usage = _usage_matrix(problem, options, cost / dearest)
    binding = np.flatnonzero(np.isfinite(problem.limits))
    customers, place = np.unique(options.row, return_inverse=True)
    n = len(options.row)
    once = csr_array((np.ones(n), (place, np.arange(n))), shape=(len(customers), n))
    least = np.flatnonzero(binding >= n_capped(problem))
    missing = csr_array(
        (-np.ones(len(least)), (least, np.arange(len(least)))), shape=(len(binding), len(least))
    )
    scale = 1e4 / max(abs(program.goal), 1e-300)
    value = problem.value[options.row, options.action].astype(np.float64)
    penalty = least_prices(problem)[binding[least] - n_capped(problem)]
    to_gain = max(abs(program.goal - fixed), CLOSE * abs(program.goal), 1e-300)
    with quiet_stdout():
        answer = milp(
            -scale * np.concatenate([value, -penalty]),
            constraints=[
                LinearConstraint(_with_columns(once, len(least)), -np.inf, 1.0),
                LinearConstraint(hstack([usage[binding], missing]).tocsr(), -np.inf, room[binding]),
            ],
            integrality=np.concatenate([np.ones(n), np.zeros(len(least))]),
            bounds=Bounds(0.0, np.concatenate([np.ones(n), np.full(len(least), np.inf)])),
            options={
                "node_limit": program.nodes,
                "mip_rel_gap": min(CLOSE * abs(program.goal) / to_gain, 1e-3),
            },
        )
    if answer.x is None:
        return None, None, False
    bound = fixed - float(answer.mip_dual_bound) / scale
    return answer.x[:n] > 0.5, bound, answer.status == 0


def _with_columns(matrix: csr_array, width: int) -> csr_array:
    """The matrix with empty columns on its right."""
    shape = (matrix.shape[0], matrix.shape[1] + width)
    return csr_array((matrix.data, matrix.indices, matrix.indptr), shape=shape)


def _usage_matrix(problem: Problem, options: Options, cost: Float64Array) -> csr_array:
    """What each option uses of each limit; shape (n_limits, n_options)."""
    n = len(options.row)
    rows = problem.groups.weight[:, problem.groups.group[options.row]]
    seats = np.zeros((len(problem.seats) + 1, n))
    seats[problem.channel_of[options.action], np.arange(n)] = 1.0
    return csr_array(np.vstack([cost[None, :], seats[:-1], rows, -rows]))
