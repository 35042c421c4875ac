"""From prices to whole contacts: everybody takes their best, the closest calls are solved.

At the best prices all but a few customers have one clearly best action. Those with the
smallest margins, and those who lose least by each kind of exchange, form a core whose
mixed-integer program HiGHS solves within what the others leave of the limits (METHODS section 4).
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scoring.allocate.dual import Choice, best_choices
from scoring.allocate.options import (
    Options,
    best_options,
    cheapest_exchanges,
    closest_rows,
    drop_dominated,
    merge_options,
    open_options,
)
from scoring.allocate.problem import NO_ACTION, Problem
from scoring.allocate.program import Program, solve_options
from scoring.allocate.repair import relieve, tariff_of, top_up
from scoring.allocate.search import Priced, find_prices
from scoring.allocate.usage import fits, total_worth

Int16Array = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Core:
    """Which part of a problem is left to a mixed-integer program.

    Attributes
    ----------
    customers : of the smallest margins.
    options : actions of each that it weighs, the best ones at the prices.
    alike : exchanges of one kind that it weighs besides; see `cheapest_exchanges`.
    exchanges : of all kinds.
    nodes : of the search tree.
    above : the core is tried if the choice is further than that from its bound, relative.
    hard : whether it is tried on hard nights too; see `HARD`.
    """

    customers: int
    options: int
    alike: int
    exchanges: int
    nodes: int
    above: float = 0.0
    hard: bool = False


EXACT = 5e-7
"""A choice this close to its bound, relative, is taken as the optimum."""

FIRST = Core(customers=100, options=3, alike=3, exchanges=300, nodes=50)
LATER = (
    Core(customers=60, options=4, alike=0, exchanges=0, nodes=600, above=EXACT),
    Core(customers=400, options=4, alike=5, exchanges=1500, nodes=20, above=1e-6, hard=True),
    Core(customers=1500, options=4, alike=20, exchanges=4000, nodes=50, above=1e-4),
)
"""Where a proof is asked for and the choice may not be the best."""

MOST_CHANGED = 1500
"""If no more customers than these had to change for the limits, they join the core."""

EXACT_OPTIONS = 4_000
"""If no more options than these can still be part of an optimum, all of them are weighed."""

EXACT_BEFORE = 4 * EXACT_OPTIONS
"""The same before dominated ones are dropped."""

EXACT_HARD = 500
"""The same after a program that was not solved far from the bound."""

EXACT_NODES = 2_000
EXACT_EFFORT = 60_000
"""Nodes times options of that program; a limit of time would not be repeatable."""

HARD = 5e-4
"""A night is hard if the first program was not solved and the choice is further than that from
its bound, relative: with so few contacts and so many equally good ones, the nodes of most later
programs would take minutes."""

CLOSE_ENOUGH = 1e-5
TIED = 1e-6
"""A choice further than that from its bound, relative, with more customers than the first core
takes whose margins are at most this share of a contact's worth, is one of too many equals."""

NOISE = 3e-5
"""By how much values are raised at most, relative, to tell equal ones apart."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A choice of whole contacts within the limits.

    Attributes
    ----------
    action : shape (n,), `NO_ACTION` for no contact.
    worth : its value, missed leasts taken off.
    bound : no choice within the limits is worth more.
    finished : whether the first program was solved.
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
    if proves:
        found = _searched_on(problem, priced, choice, found)
    return found


def _searched_on(problem: Problem, priced: Priced, choice: Choice, found: Whole) -> Whole:
    """The optimum if few options are left that it may hold, else the best of wider cores."""
    for core in LATER:
        if _apart(found) <= core.above:
            return found
        if _is_hard(found) and not core.hard:
            continue
        found = _improved(problem, priced, choice, found, core)
        left = None if _apart(found) <= EXACT else _open_options(problem, priced, choice, found)
        if left is not None:
            return _solve_open(problem, choice, found, left)
    return found


def _apart(found: Whole) -> float:
    """How far a choice is from its bound, relative."""
    return (found.bound - found.worth) / max(abs(found.bound), 1e-300)


def _is_hard(found: Whole) -> bool:
    return not found.finished and _apart(found) > HARD


def _core_options(problem: Problem, priced: Priced, choice: Choice, core: Core) -> Options:
    best = best_options(
        problem, priced.prices, closest_rows(choice, core.customers), each=core.options
    )
    if core.exchanges:
        exchanges = cheapest_exchanges(
            problem, priced.prices, choice, each=core.alike, most=core.exchanges
        )
        best = merge_options(problem, best, exchanges)
    return drop_dominated(problem, best)


def _open_options(problem: Problem, priced: Priced, choice: Choice, found: Whole) -> Options | None:
    """Options that a better choice may hold; null if there are too many to weigh."""
    rounding = 1e-9 * (abs(priced.bound) + float(choice.profit.sum()))
    apart = found.bound - found.worth
    left = open_options(problem, priced.prices, apart, rounding=rounding, most=EXACT_BEFORE)
    left = None if left is None else drop_dominated(problem, left)
    most = EXACT_HARD if _is_hard(found) else EXACT_OPTIONS
    return left if left is not None and len(left.row) <= most else None


def _tied(choice: Choice, found: Whole) -> bool:
    """Whether equal customers are so many that prices cannot divide the limits among them."""
    apart = found.bound - found.worth
    contacts = max(int((choice.action >= 0).sum()), int((found.action >= 0).sum()), 1)
    close = TIED * found.bound / contacts
    return (
        apart > CLOSE_ENOUGH * abs(found.bound) and _margin_of(choice, FIRST.customers + 1) <= close
    )


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
    options = _core_options(problem, priced, choice, FIRST)
    action = choice.action.copy()
    action[options.row] = NO_ACTION
    changed = relieve(problem, tariff, action)
    solved = action.copy()
    solved[options.row] = NO_ACTION
    if len(changed) <= MOST_CHANGED:
        solved[changed] = NO_ACTION
        again = best_options(problem, priced.prices, changed, each=FIRST.options)
        options = drop_dominated(problem, merge_options(problem, options, again))
    program = Program(nodes=FIRST.nodes, goal=priced.bound)
    answer = solve_options(problem, solved, options, program)
    relieve(problem, tariff, solved)
    top_up(problem, tariff, choice, solved)
    worth = total_worth(real, solved)
    return Whole(solved, worth, bound=max(priced.bound, worth), finished=answer.finished)


def _margin_of(choice: Choice, size: int) -> float:
    """The margin that so many customers do not exceed; inf if there are no more."""
    if size >= len(choice.margin):
        return np.inf
    return float(np.partition(choice.margin, size - 1)[size - 1])


def _improved(problem: Problem, priced: Priced, choice: Choice, found: Whole, core: Core) -> Whole:
    """A better choice, if one gives some of a core another action."""
    options = _core_options(problem, priced, choice, core)
    rows = np.unique(options.row)
    rows = rows[found.action[rows] >= 0]
    now = Options(rows, found.action[rows].astype(np.int64))
    options = merge_options(problem, options, now)
    action = found.action.copy()
    action[options.row] = NO_ACTION
    program = Program(nodes=core.nodes, goal=found.bound)
    solve_options(problem, action, options, program)
    return _better(problem, found, action)


def _solve_open(problem: Problem, choice: Choice, found: Whole, left: Options) -> Whole:
    """A better choice, where any must hold open options and everybody else's best."""
    action = choice.action.copy()
    action[left.row] = NO_ACTION
    affordable = max(EXACT_EFFORT // max(len(left.row), 1), 1)
    program = Program(nodes=min(EXACT_NODES, affordable), goal=found.bound)
    answer = solve_options(problem, action, left, program)
    better = _better(problem, found, action)
    if answer.bound is None:
        return better
    return replace(better, bound=min(better.bound, max(answer.bound, better.worth)))


def _better(problem: Problem, found: Whole, action: Int16Array) -> Whole:
    worth = total_worth(problem, action) if fits(problem, action) else -np.inf
    if worth < found.worth:
        action, worth = found.action, found.worth
    # Limits are kept but for rounding, and so is the bound.
    return replace(found, action=action, worth=worth, bound=max(found.bound, worth))
