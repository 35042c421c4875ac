"""The benchmark's simulated shop, and what truly becomes of its customers."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from benchmarks.simulator_truth import Imagined, Question, know_histories, know_states
from features.local_day import local_midnight_us
from pipelines.config import Config
from pipelines.simulate.business import SHOP
from pipelines.simulate.clock import DAY, lay_out_calendar
from pipelines.simulate.population import KEENNESS, People, gather_people
from pipelines.simulate.worlds import WorldPlan, set_scene

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

END = date(2026, 11, 1)
DAYS = 540
SEED = 7
_OTHER_PEOPLE, _OTHER_LUCK = 1_000_003, 2_000_003
"""Seeds apart from the simulation's: nothing imagined may be the real thing."""
_THREADS = 2


@dataclass(frozen=True, slots=True)
class Truth:
    """What becomes of customers at risk; every array has shape (n,).

    Attributes
    ----------
    lost : whether no order came inside the window.
    histories, states : true P(no order), given the history and given the hidden state.
    carried : imagined customers who carried the weight behind `histories`.
    """

    lost: NDArray[np.bool_]
    histories: Floats
    states: Floats
    carried: Floats


def find_truth(config: Config, as_of: date, number: Ints, sizes: tuple[int, int, int]) -> Truth:
    """Work out both truths.

    Parameters
    ----------
    sizes : customers of the simulation, imagined ones, futures per customer.
    """
    customers, imagined, futures = sizes
    clock = lay_out_calendar(
        END, DAYS, business_zone=config.business.timezone, zones=SHOP.zones, season=SHOP.season
    )
    shop = set_scene(SHOP, config, clock, WorldPlan())
    people = gather(config, SEED, customers)
    shoppers = SHOP.draw_latents(people, SHOP.habits)
    question = ask(config, as_of, futures)
    others = imagine(gather(config, _OTHER_PEOPLE, imagined))

    def lost(part: Ints) -> NDArray[np.bool_]:
        own_luck = question._replace(first_seed=SEED, futures=1)
        return np.asarray(know_states(shop, shoppers, part, own_luck) == 0.0)

    def states(part: Ints) -> Floats:
        return 1.0 - know_states(shop, shoppers, part, question)

    def histories(part: Ints) -> tuple[Floats, Floats]:
        returned, carried = know_histories(
            shop, shoppers, part, question, acquisition=people.acquisition, imagined=others
        )
        return 1.0 - returned, carried

    lost(number[:1])
    histories(number[:1])  # compiled once, before the threads start
    parts = np.array_split(number, 8 * _THREADS)
    with ThreadPoolExecutor(_THREADS) as threads:
        known = list(threads.map(histories, parts))
        return Truth(
            lost=np.concatenate(list(threads.map(lost, parts))),
            histories=np.concatenate([one[0] for one in known]),
            states=np.concatenate(list(threads.map(states, parts))),
            carried=np.concatenate([one[1] for one in known]),
        )


def gather(config: Config, seed: int, count: int) -> People:
    """The first customers of a simulation with this seed."""
    return gather_people(
        seed,
        first=0,
        count=count,
        days=DAYS,
        zone_shares=SHOP.zone_shares,
        flag_names=tuple(config.sources.customers.flags),
        early_share=SHOP.early_share,
    )


def imagine(people: People) -> Imagined:
    """What these people would be if they had been acquired in each of the ways."""
    stay = people.stay_z - KEENNESS[people.acquisition]
    ways = [
        SHOP.draw_latents(replace(people, stay_z=stay + keen), SHOP.habits) for keen in KEENNESS
    ]
    return Imagined(
        ways[0], np.stack([way.sleep for way in ways]), np.stack([way.wake for way in ways])
    )


def ask(config: Config, as_of: date, futures: int) -> Question:
    """The window of the configuration as a question to the simulation."""
    midnight = local_midnight_us(as_of, ZoneInfo(config.business.timezone)) // 1_000_000
    begin = midnight + round(config.windows.gap_days * DAY)
    first_day = DAYS - (END - as_of).days
    window = config.windows.gap_days + config.windows.horizon_days
    return Question(
        seed=SEED,
        as_of_day=first_day,
        end_day=min(first_day + int(np.ceil(window)) + 2, DAYS),
        begin=begin,
        end=begin + round(config.windows.horizon_days * DAY),
        first_seed=_OTHER_LUCK,
        futures=futures,
    )
