"""Random numbers that depend on (seed, customer, day, stream) alone.

There is no generator state to carry: any customer's any day can be drawn in any order,
in any chunk, by any thread, and two worlds that differ in one effect meet the same luck
(common random numbers). The mixing function is the finaliser of SplitMix64 (Steele, Lea
and Flood 2014).
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_POPULATION_DAY = -1


@njit(cache=True)
def mix(bits: np.uint64) -> np.uint64:
    """Scatter 64 bits so that neighbouring inputs give unrelated outputs."""
    bits = (bits ^ (bits >> np.uint64(30))) * _FIRST
    bits = (bits ^ (bits >> np.uint64(27))) * _SECOND
    return np.uint64(bits ^ (bits >> np.uint64(31)))


@njit(cache=True)
def customer_key(seed: int, customer: int) -> np.uint64:
    """The key of one customer in one simulation."""
    return np.uint64(mix(mix(np.uint64(seed) + _GOLDEN) ^ (np.uint64(customer) * _GOLDEN)))


@njit(cache=True)
def day_key(key: np.uint64, day: int) -> np.uint64:
    """The key of one customer's day; day -1 is the customer as a person."""
    return np.uint64(mix(np.uint64(key) + np.uint64(day + 2) * _SECOND))


@njit(cache=True)
def uniform(key: np.uint64, stream: int) -> float:
    """A number in (0, 1): stream `stream` of a day's key."""
    bits = mix(np.uint64(key) + np.uint64(2 * stream + 1) * _GOLDEN)
    return (float(bits >> np.uint64(11)) + 0.5) * 2.0**-53


@njit(cache=True)
def normal(key: np.uint64, stream: int) -> float:
    """A standard normal number (Box and Muller 1958)."""
    bits = mix(np.uint64(key) + np.uint64(2 * stream + 2) * _GOLDEN)
    angle = float(bits >> np.uint64(11)) * 2.0**-53
    return math.sqrt(-2.0 * math.log(uniform(key, stream))) * math.cos(2.0 * math.pi * angle)


@njit(cache=True)
def exponential(key: np.uint64, stream: int) -> float:
    """An exponential number with mean 1."""
    return -math.log(uniform(key, stream))


@njit(cache=True)
def pick(key: np.uint64, stream: int, count: int) -> int:
    """A whole number in 0 .. count - 1, all equally likely."""
    return min(int(uniform(key, stream) * count), count - 1)


@njit(cache=True, nogil=True)
def population_uniforms(seed: int, first: int, count: int, streams: int) -> NDArray[np.float64]:
    """Numbers in (0, 1) that make the customers what they are.

    Returns
    -------
    float64 [count, streams]; row i belongs to customer `first + i`.
    """
    numbers = np.empty((count, streams), dtype=np.float64)
    for row in range(count):
        key = day_key(customer_key(seed, first + row), _POPULATION_DAY)
        for stream in range(streams):
            numbers[row, stream] = uniform(key, stream)
    return numbers


@njit(cache=True, nogil=True)
def row_uniforms(
    seed: int, customers: NDArray[np.int32], numbers: NDArray[np.int32], stream: int
) -> NDArray[np.float64]:
    """One number in (0, 1) per written row, from its customer and its number there."""
    drawn = np.empty(len(customers), dtype=np.float64)
    for row in range(len(customers)):
        key = mix(customer_key(seed, customers[row]) + np.uint64(numbers[row]) * _FIRST)
        drawn[row] = uniform(key, stream)
    return drawn
