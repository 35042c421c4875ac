"""From prices to whole contacts: everybody takes their best, the closest calls are solved.

At the best prices all but a few customers have one clearly best action. Those with the
smallest margins form a core whose mixed-integer program HiGHS solves within what the others
leave of the limits (METHODS section 4).
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scoring.allocate.dual import Choice, best_choices
from scoring.allocate.problem import NO_ACTION, Problem
from scoring.allocate.program import Options, Program, solve_options
from scoring.allocate.repair import relieve, tariff_of, top_up
from scoring.allocate.search import Priced, find_prices
from scoring.allocate.usage import fits, total_worth

Float64Array = NDArray[np.float64]
Int16Array = NDArray[np.int16]
Int64Array = NDArray[np.int64]

CORE = 400
"""Customers whose choice is left to the mixed-integer program."""

CORE_MOST = 1500
"""The same, with those whose best contact did not fit."""

WIDER = (1500,)
"""Sizes of cores tried after it, before everybody who may still matter."""

OPTIONS_EACH = 4
"""Actions of a core customer that it weighs: the best ones at the prices."""

EXACT = 5e-7
"""A choice this close to its bound, relative, is taken as the optimum."""

EXACT_OPTIONS = 4_000
"""If no more options than these can still be part of an optimum, all of them are weighed."""

HARD = 1e-3
"""If a program was not solved and the choice is further than that from its bound, relative,
wider ones are not tried: with so few contacts and so many equally good ones they take for ever."""

CLOSE_ENOUGH = 1e-5
TIES = 2000
TIED = 1e-6
"""A choice further than that from its bound, relative, with so many customers whose margins
are at most this share of a contact's worth, is one of too many equal customers."""

NOISE = 3e-5
"""By how much values are raised at most, relative, to tell equal ones apart."""

FAR = 1e-4
WHOLE_OPTIONS = 60_000
"""A choice further from its bound, relative, is tried whole: so many options, at the root."""

_NODES = 200
_MORE_NODES = 2_000
_MORE_EFFORT = 500_000
"""Nodes times options of the later programs; a limit of time would not be repeatable."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A choice of whole contacts within the limits.

    Attributes
    ----------
    action : shape (n,), `NO_ACTION` for no contact.
    worth : its value, missed leasts taken off.
    bound : no choice within the limits is worth more.
    finished : whether the last program was solved.
    """

    action: Int16Array
    worth: float
    bound: float
    finished: bool


def choose_whole(
    problem: Problem, priced: Priced, *, proves: bool = True, threads: int = 1
) -> Whole:
    """The best choice of whole contacts found near the prices.

    Asked for a proof, small problems are solved to the optimum: an action whose worth at the
    prices lies further below the customer's best than bound and choice are apart is in no
    better choice, and what is left is solved whole.
    """
    choice = best_choices(problem, priced.prices, threads=threads)
    found = _near_prices(problem, problem, priced, choice)
    if _tied(choice, found):
        found = _told_apart(problem, found, threads=threads)
    for size in (*WIDER, problem.n_customers) if proves else ():
        apart = found.bound - found.worth
        if apart <= EXACT * abs(found.bound):
            break
        if not found.finished and apart > HARD * abs(found.bound):
            break
        near = _margin_of(choice, size)
        left = _open_options(problem, priced, min(near, apart))
        if left is not None:
            found = _solve_open(problem, choice, found, left, proves=near >= apart)
    if proves and found.bound - found.worth > FAR * abs(found.bound):
        everything = _open_options(problem, priced, np.inf, most=WHOLE_OPTIONS)
        if everything is not None:
            found = _solve_open(problem, choice, found, everything, proves=True, nodes=1)
    return found


def _tied(choice: Choice, found: Whole) -> bool:
    """Whether equal customers are so many that prices cannot divide the limits among them."""
    apart = found.bound - found.worth
    contacts = max(int((choice.action >= 0).sum()), int((found.action >= 0).sum()), 1)
    close = TIED * found.bound / contacts
    return apart > CLOSE_ENOUGH * abs(found.bound) and _margin_of(choice, TIES) <= close


def _told_apart(problem: Problem, found: Whole, *, threads: int) -> Whole:
    """The better one of a choice and of what would be chosen if no two values were equal."""
    noise = np.random.default_rng(0).random(problem.value.shape, dtype=np.float32)
    noise *= np.float32(NOISE)
    noise += np.float32(1.0)
    noise *= problem.value
    apart = replace(problem, value=noise)
    priced = find_prices(apart, threads=threads)
    choice = best_choices(apart, priced.prices, threads=threads)
    another = _near_prices(apart, problem, replace(priced, bound=found.bound), choice)
    return another if another.worth > found.worth else found


def _near_prices(problem: Problem, real: Problem, priced: Priced, choice: Choice) -> Whole:
    """Everybody's best; a core, and whoever does not fit beside it, by the program.

    Parameters
    ----------
    problem : what is solved.
    real : the same limits with the values that count.
    """
    tariff = tariff_of(problem, priced.prices)
    core = _closest(choice, CORE)
    action = choice.action.copy()
    action[core] = NO_ACTION
    changed = relieve(problem, tariff, action)
    solved = action.copy()
    if len(core) + len(changed) <= CORE_MOST:
        core = np.union1d(core, changed)
        solved[core] = NO_ACTION
    options = _best_options(problem, priced, core, each=OPTIONS_EACH)
    program = Program(nodes=_NODES, goal=priced.bound)
    answer = solve_options(problem, solved, options, program)
    relieve(problem, tariff, solved)
    top_up(problem, tariff, choice, solved)
    worth = total_worth(real, solved)
    return Whole(solved, worth, bound=max(priced.bound, worth), finished=answer.finished)


def _closest(choice: Choice, size: int) -> Int64Array:
    """Rows of the smallest margins, ascending."""
    n = len(choice.margin)
    if n <= size:
        return np.arange(n)
    rows = np.argpartition(choice.margin, size - 1)[:size]
    return np.sort(rows)


def _margin_of(choice: Choice, size: int) -> float:
    """The margin that so many customers do not exceed; inf if there are no more."""
    if size >= len(choice.margin):
        return np.inf
    return float(np.partition(choice.margin, size - 1)[size - 1])


def _worth(problem: Problem, priced: Priced, rows: Int64Array) -> Float64Array:
    """Value after prices of every action of some customers; -inf where none is allowed."""
    tariff = tariff_of(problem, priced.prices)
    value = problem.value[rows].astype(np.float64)
    taken = tariff.by_group[problem.groups.group[rows]]
    worth = value - tariff.budget * problem.cost[rows] - tariff.by_action - taken[:, None]
    worth[~(value > 0)] = -np.inf
    return np.asarray(worth)


def _best_options(problem: Problem, priced: Priced, rows: Int64Array, *, each: int) -> Options:
    worth = _worth(problem, priced, rows)
    order = np.argsort(-worth, axis=1, kind="stable")[:, :each]
    allowed = np.isfinite(np.take_along_axis(worth, order, axis=1))
    place, which = np.nonzero(allowed)
    return Options(row=rows[place], action=order[place, which].astype(np.int64))


def _open_options(
    problem: Problem, priced: Priced, apart: float, *, most: int = EXACT_OPTIONS
) -> Options | None:
    """Options that a better choice may hold; null if there are too many to weigh."""
    rows, actions, count = [], [], 0
    for start in range(0, problem.n_customers, 100_000):
        block = np.arange(start, min(start + 100_000, problem.n_customers))
        worth = _worth(problem, priced, block)
        best = np.maximum(worth.max(axis=1, initial=-np.inf), 0.0)
        near = np.isfinite(worth)
        near &= worth >= (best - apart - 1e-9 * abs(priced.bound))[:, None]
        near &= (np.maximum(near.sum(axis=1), 1) + (best <= apart) > 1)[:, None]
        place, which = np.nonzero(near)
        rows.append(block[place])
        actions.append(which)
        count += len(place)
        if count > most:
            return None
    return Options(np.concatenate(rows), np.concatenate(actions).astype(np.int64))


def _solve_open(
    problem: Problem,
    choice: Choice,
    found: Whole,
    left: Options,
    *,
    proves: bool,
    nodes: int = _MORE_NODES,
) -> Whole:
    """A better choice, if one gives some customers another of their open options.

    Parameters
    ----------
    proves : no better choice holds other options, so that this one is the optimum.
    """
    action = choice.action.copy()
    action[left.row] = NO_ACTION
    affordable = max(_MORE_EFFORT // max(len(left.row), 1), 1)
    program = Program(nodes=min(nodes, affordable), goal=found.bound)
    answer = solve_options(problem, action, left, program)
    worth = total_worth(problem, action) if fits(problem, action) else -np.inf
    if worth < found.worth:
        action, worth = found.action, found.worth
    bound = found.bound
    if proves and answer.bound is not None:
        bound = min(bound, max(answer.bound, worth))
    return Whole(action=action, worth=worth, bound=bound, finished=answer.finished)
