"""A shop with known effects: customers, arms and seats of sixty nights, and what is best.

Every night new customers of four kinds, four channels with limited seats, two offers. A contact
shifts everybody's log-odds of returning alike. The customers of a week's nights have equal
chances and orders, so that the plan, which owes nothing to arms, is the same until effects are
learnt again.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from benchmarks.uplift_world import World
from scoring.arms import CONTACT, GHOST, ArmDraws, draw_arms
from scoring.choice import Choices, Plan, seat_limits
from scoring.contest import Contest, contest_for_seats, sent_share
from scoring.exploration import Exploration
from scoring.night_plan import choose_within_limits, plan_contacts, turns_of
from scoring.outcomes import LISTED
from scoring.policy import Experiment

Floats = NDArray[np.float64]

NIGHTS, CUSTOMERS = 60, 1000
WEEK = 5
"""Nights from one training to the next."""

LIMITS = seat_limits(np.array([250, 100, 250, 5], dtype=np.int64))
P0 = np.array([0.05, 0.10, 0.16, 0.25])
"""Natural return of the four kinds of customers."""

TYPICAL = np.array([0.10, 0.25, 0.15, 0.45])
"""Shift of the log-odds by channel around which shops differ; text messages earn most."""

OFFER_SHIFT = np.array([0.0, 0.25])
CHANNEL_SD, OFFER_SD = np.full(4, 0.15), np.array([0.0, 0.10])
"""How much shops differ; the assumptions say so too."""

GREEDY = Experiment(explore_share=0.0, cold_explore_share=0.0)
"""The same controls, and the best known action for everybody else."""


class Shop:
    """What all policies played in a shop meet.

    Attributes
    ----------
    seed : of everything.
    oracle : what the true effects earn every night with the same seats and controls; money.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        shift = draw_shift(seed)
        starts = range(0, NIGHTS, WEEK)
        self._weeks = [draw_customers(shift, seed=seed, night=night) for night in starts]
        self._plans: dict[tuple[float, bytes], Plan] = {}
        self.oracle = [self._oracle(night) for night in range(NIGHTS)]

    def world(self, night: int) -> World:
        """Tonight's customers."""
        return self._weeks[night // WEEK]

    def trains(self, night: int) -> bool:
        """Whether effects are learnt anew before tonight's list."""
        return night % WEEK == 0

    def salted(self, experiment: Experiment) -> Experiment:
        """The experiment with a salt of the shop's own."""
        return replace(experiment, salt=f"seed-{self.seed}")

    def draws(self, experiment: Experiment, night: int) -> ArmDraws:
        """Tonight's arms."""
        ids = [f"{night}-{customer}" for customer in range(CUSTOMERS)]
        return draw_arms(ids, experiment=self.salted(experiment), as_of_us=night)

    def choose(
        self, gains: Floats, draws: ArmDraws, *, weights: Floats | None, experiment: Experiment
    ) -> Choices:
        """The product's plan and choice for what contacts are believed to gain."""
        contest = contest_for_seats(
            gains,
            allowed=np.ones(gains.shape, dtype=np.bool_),
            tie=draws.tie,
            limits=LIMITS,
            sent_share=sent_share(experiment),
        )
        plan = self._plan(contest)
        return choose_within_limits(
            contest,
            plan,
            turns_of(contest, plan),
            arm=draws.arm,
            exploration=Exploration(
                draw=draws.action,
                on_trial=draws.on_trial,
                weights=weights,
                share=experiment.explore_share,
                floor=experiment.propensity_floor,
            ),
        )

    def _plan(self, contest: Contest) -> Plan:
        """The product's plan; what is asked for again, to the last bit, is planned once.

        Seats are the same every night, nothing is spent, and plans know no arms.
        """
        asked = contest.sent_share, contest.candidates.value.tobytes()
        if asked not in self._plans:
            self._plans[asked] = plan_contacts(contest)
        return self._plans[asked]

    def _oracle(self, night: int) -> float:
        world, draws = self.world(night), self.draws(GREEDY, night)
        sure = replace(draws, arm=np.where(draws.arm >= GHOST, draws.arm, CONTACT).astype(np.int8))
        choices = self.choose(world.gain, sure, weights=None, experiment=GREEDY)
        return true_profit(world, choices, sure)


def draw_shift(seed: int) -> Floats:
    """What contacts really do in one shop: log-odds by action."""
    rng = np.random.default_rng([seed, NIGHTS])
    channel, offer = rng.normal(TYPICAL, CHANNEL_SD), rng.normal(OFFER_SHIFT, OFFER_SD)
    return np.asarray((channel[:, None] + offer).ravel())


def draw_customers(shift: Floats, *, seed: int, night: int) -> World:
    """A night's customers with every potential outcome's probability."""
    rng = np.random.default_rng([seed, night])
    p0 = rng.choice(P0, CUSTOMERS)
    order_value = np.exp(3.4 + 0.5 * rng.normal(size=CUSTOMERS))
    p = expit(logit(p0)[:, None] + shift)
    return World(np.empty((CUSTOMERS, 0)), p0, p, order_value)


def true_profit(world: World, choices: Choices, draws: ArmDraws) -> float:
    """What the contacts sent are really expected to bring, over no contact."""
    sent = np.flatnonzero((choices.outcome == LISTED) & (draws.arm < GHOST))
    return float(world.gain[sent, choices.action[sent]].sum())
