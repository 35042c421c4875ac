"""A shop's customers lived night by night, with whatever contacts somebody outside decides.

Luck depends on seed, customer, day and stream alone, so two populations that differ in
their contacts meet the same luck: differences between policies are paired (common random
numbers), and a fork meets the same future unless it is given other luck.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from features.errors import UsageError, describe
from pipelines.config import Config
from pipelines.init import preset_config
from pipelines.simulate.business import SHOP, Business
from pipelines.simulate.clock import lay_out_calendar
from pipelines.simulate.effects import OBSERVABLES, observe_all
from pipelines.simulate.files import Delivery, deliver_events, list_contacts, list_customers
from pipelines.simulate.lives import Lives, copy_lives, live_night, live_own_days, unlived
from pipelines.simulate.log import Piece, Rows, allocate_log, join_pieces, written_piece
from pipelines.simulate.mood import (
    CONTACT_COUNT,
    EXPECTED,
    EXPECTED_SAVED,
    EXPECTED_SPENT,
    FLAGS,
    LEFT,
    ORDERS,
    SAVED,
    SPENT,
)
from pipelines.simulate.names import Naming, naming_of, seconds
from pipelines.simulate.one_step import OneStep, weigh_actions
from pipelines.simulate.plan import SimulationPlan
from pipelines.simulate.population import People, gather_people
from pipelines.simulate.scene import Scene
from pipelines.simulate.shoppers import Shoppers, signup_seconds
from pipelines.simulate.usual import DO_NOT_CONTACT
from pipelines.simulate.worlds import set_scene

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_LOG_ROWS = 1 << 17
_SPAN = 25_000
_THREADS = 2


@dataclass(frozen=True, slots=True)
class Ledger:
    """Sums since signing up, or since `count_from_here`; every array has shape (n,).

    Attributes
    ----------
    orders, spent : orders and what they brought, after price cuts.
    saved : money that offers of contacts took off.
    expected, expected_spent, expected_saved : the same before luck: sums over the nights
        lived of each day's chance of an order, times its mean amount. Amounts are before
        offers, and nights count only if lived by `Population.night`.
    contacts, left : contacts sent, and channels closed by unsubscribing.
    """

    orders: Floats
    spent: Floats
    saved: Floats
    expected: Floats
    expected_spent: Floats
    expected_saved: Floats
    contacts: Floats
    left: Floats


class Population:
    """All customers of a simulated shop on one evening.

    Attributes
    ----------
    day : the day that begins now; 0 is the first of the simulation.
    people, shoppers : who they are, known and hidden.
    lives : how each of them is doing.
    """

    def __init__(
        self,
        plan: SimulationPlan,
        *,
        config: Config | None = None,
        business: Business = SHOP,
        luck: int | None = None,
        threads: int = _THREADS,
    ) -> None:
        """Customers of a plan, before the first day.

        Parameters
        ----------
        plan : as for `run_simulation`; the preset must be a shop. `plan.days` is the last
            day that can be lived.
        config : names of channels, offers and flags; default: the preset's.
        business : who buys, and how channels work.
        luck : seed of all that happens to them; default: the plan's, as in the files.
        threads : how many customers' lives at a time; changes nothing but time.

        Raises
        ------
        UsageError : the preset is not a shop.
        """
        if plan.preset != "retail":
            raise UsageError(
                describe(
                    "Population",
                    f"the preset {plan.preset!r} cannot be lived night by night",
                    expected="retail",
                    fix="simulate its files instead",
                )
            )
        config = config or preset_config(plan.preset)
        clock = lay_out_calendar(
            plan.end,
            plan.days,
            business_zone=config.business.timezone,
            zones=business.zones,
            season=business.season,
        )
        self.plan = plan
        self.luck = plan.seed if luck is None else luck
        self.threads = threads
        self.day = 0
        self.scene: Scene = set_scene(
            business, config, clock, plan.world, foreign_rate=plan.dirt.foreign_rate
        )
        self.naming: Naming = naming_of(config, business)
        self.people: People = gather_people(
            plan.seed,
            first=0,
            count=plan.customers,
            days=plan.days,
            zone_shares=business.zone_shares,
            flag_names=tuple(config.sources.customers.flags),
            early_share=business.early_share,
        )
        self.shoppers: Shoppers = business.draw_latents(self.people, business.habits)
        self.lives: Lives = unlived(plan.customers)
        self._counted = np.zeros_like(self.lives.mood)

    @property
    def actions(self) -> tuple[str, ...]:
        """Names of the actions, in the order of their numbers: channel * offers + offer."""
        return tuple(f"{c}/{o}" for c in self.naming.channels for o in self.naming.offers)

    def __len__(self) -> int:
        return len(self.people)

    def fork(self, *, luck: int | None = None) -> Self:
        """The same evening once more; the two go separate ways under the same luck, or other."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other.lives = copy_lives(self.lives)
        other._counted = self._counted.copy()
        other.luck = self.luck if luck is None else luck
        return other

    def live_until(self, day: int, *, record: bool = False) -> Rows | None:
        """Live up to the midnight that begins `day`, contacts as the plan's policy decides.

        Returns the rows written, or None if they are not to be kept.
        """
        self._must_lie_ahead(day)
        days = (self.day, day)

        def live(log: Any, span: tuple[int, int]) -> int:
            return int(
                live_own_days(log, self.scene, self.shoppers, self.lives, span, days, self.luck)
            )

        room = (day - self.day + 2) * 40
        rows = self._live(live, rows=max(_LOG_ROWS, 2 * room), record=record)
        self.day = day
        return rows

    def night(self, actions: Ints | None = None, *, record: bool = False) -> Rows | None:
        """Live one day with contacts from outside; nobody else contacts anybody.

        Parameters
        ----------
        actions : per customer channel * offers + offer, or -1 for no contact; shape (n,).
            Contacts go out in the course of the day and are felt from the next day on; a
            closed channel, or one of a customer yet to sign up, is passed over. Default:
            no contacts.
        record : keep the rows.

        Returns
        -------
        The day's rows, by customer and time, or None.
        """
        self._must_lie_ahead(self.day + 1)
        given = np.full(len(self), -1) if actions is None else np.asarray(actions)
        given = given.astype(np.int64)
        if given.shape != (len(self),) or given.min() < -1 or given.max() >= len(self.actions):
            raise UsageError(
                describe(
                    "Population.night",
                    f"actions of shape {given.shape} from {given.min()} to {given.max()}",
                    expected=f"shape ({len(self)},), from -1 to {len(self.actions) - 1}",
                    fix="pass one action per customer",
                )
            )

        def live(log: Any, span: tuple[int, int]) -> int:
            return int(
                live_night(
                    log, self.scene, self.shoppers, self.lives, span, self.day, given, self.luck
                )
            )

        rows = self._live(live, rows=_LOG_ROWS, record=record)
        self.day += 1
        return rows

    def _must_lie_ahead(self, day: int) -> None:
        if not self.day < day <= self.plan.days:
            raise UsageError(
                describe(
                    "Population",
                    f"day {day} cannot be lived to from day {self.day}",
                    expected=f"a later day, at most {self.plan.days}",
                    fix="make the plan longer",
                )
            )

    def _live(
        self, live: Callable[[Any, tuple[int, int]], int], *, rows: int, record: bool
    ) -> Rows | None:
        """Live all customers in spans, several at a time; rows come in order of customer."""

        def live_span(start: int) -> list[Piece]:
            log, pieces = allocate_log(rows), []
            at, stop = start, min(start + _SPAN, len(self))
            while at < stop:
                log.cursor[:] = 0
                at = live(log, (at, stop))
                if record:
                    pieces.append(written_piece(log))
            return pieces

        starts = range(0, len(self), _SPAN)
        if self.threads == 1 or len(starts) == 1:
            pieces = [piece for start in starts for piece in live_span(start)]
        else:
            with ThreadPoolExecutor(self.threads) as pool:
                pieces = [piece for some in pool.map(live_span, starts) for piece in some]
        return join_pieces(pieces) if record else None

    def present(self) -> NDArray[np.bool_]:
        """Who has signed up before tonight, shape (n,)."""
        return np.asarray(self.shoppers.signup_day < self.day)

    def silent_days(self) -> Ints:
        """Days since the last order, or since signing up without one; shape (n,)."""
        return np.asarray(self.day - self.lives.course[:, 3])

    def reachable(self) -> NDArray[np.bool_]:
        """Which channels are open tonight, shape (n, channels)."""
        flags = self.lives.mood[:, FLAGS].astype(np.int64)
        wanted = self.scene.reach.requires
        is_open = (flags[:, None] & wanted) == wanted
        return np.asarray(
            is_open & ((flags & DO_NOT_CONTACT) == 0)[:, None] & self.present()[:, None]
        )

    def observables(self) -> Floats:
        """What effects may depend on, as the company could know it; shape (n, observables)."""
        scene, day = self.scene, self.day
        seen = np.empty((len(self), len(OBSERVABLES)))
        observe_all(self.lives.mood, scene.reach, scene.law, self.present(), day, seen)
        return seen

    def one_step(self, *, gap_days: int = 2, horizon_days: int = 30) -> OneStep:
        """The truth of tonight's decision; see `OneStep`.

        Parameters
        ----------
        gap_days, horizon_days : the window [day + gap, day + gap + horizon), in local days.
        """
        n, actions = len(self), len(self.actions)
        out = (np.empty(n), np.empty((n, actions)), np.empty((n, actions)), np.empty(n))
        time = (self.day, gap_days, horizon_days)

        def weigh(start: int) -> None:
            span = (start, min(start + _SPAN, n))
            weigh_actions(self.scene, self.shoppers, self.lives, span, time, out)

        with ThreadPoolExecutor(self.threads) as pool:
            list(pool.map(weigh, range(0, n, _SPAN)))
        return OneStep(p0=out[0], uplift=out[1], leaves=out[2], order_value=out[3])

    def raw_tables(self, rows: Rows) -> dict[str, Any]:
        """Rows of some nights as a company's systems would export them, as Arrow tables.

        Returns
        -------
        "events", "contacts" and "customers" with the columns of the raw files; what arrives
        late says so in `arrived_at`.
        """
        clock, who = self.scene.clock, rows.changes.customer
        delivery = Delivery(self.plan.seed, clock.end, self.plan.dirt)
        customers = list_customers(rows.changes, self.people, self.naming, delivery)
        signup = signup_seconds(clock, self.shoppers)
        kept = np.flatnonzero(rows.changes.at < clock.end)
        kept = kept[np.lexsort((rows.changes.at[kept], who[kept]))]
        place = customers.column_names.index("signup_at")
        return {
            "events": deliver_events(rows.events, self.people, self.naming, delivery),
            "contacts": list_contacts(rows.contacts, self.people, self.naming, delivery),
            "customers": customers.set_column(
                place, "signup_at", seconds(signup[who[kept]], clock.end)
            ),
        }

    def count_from_here(self) -> None:
        """Begin the ledger anew."""
        self._counted = self.lives.mood.copy()

    def ledger(self) -> Ledger:
        """What has come of the customers since the counting began."""
        since = self.lives.mood - self._counted
        return Ledger(
            orders=since[:, ORDERS],
            spent=since[:, SPENT],
            saved=since[:, SAVED],
            expected=since[:, EXPECTED],
            expected_spent=since[:, EXPECTED_SPENT],
            expected_saved=since[:, EXPECTED_SAVED],
            contacts=since[:, CONTACT_COUNT],
            left=since[:, LEFT],
        )
