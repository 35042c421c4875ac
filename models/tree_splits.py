"""The inner nodes of a boosted forest as flat arrays, and which way rows take at them.

LightGBM's text form says all there is to know; its decisions are repeated to the bit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

Float64Array = NDArray[np.float64]
Float32Array = NDArray[np.float32]
Int64Array = NDArray[np.int64]

MOST_NODES: Final = 64
"""Splits of a tree: what a row does at each of them is one bit of a word."""

SMALL_NODES: Final = 8
"""Splits of a small tree: a table with a line for every way has 2 to this power lines."""

BLOCK_ROWS: Final = 1024
"""Rows that pass through a forest together: their features and sums stay in the cache."""

Tree = Mapping[str, str]
"""One tree's keys and values, as in the text."""

_CATEGORICAL, _DEFAULT_LEFT = 1, 2
_MISSING_ZERO, _MISSING_NAN = 1, 2
_SMALLEST = 1e-35
"""What LightGBM takes for zero where zero means missing."""


@dataclass(frozen=True, slots=True)
class Splits:
    """The inner nodes of all trees, tree after tree.

    Attributes
    ----------
    of_tree : tree t owns nodes of_tree[t]:of_tree[t + 1].
    feature, threshold, kind : column, limit and LightGBM's decision type.
    words_of : node i's categories are words words_of[i]:words_of[i + 1] of `words`.
    words : bit sets of the categories that go left, 32 to a word.
    """

    of_tree: Int64Array
    feature: Int64Array
    threshold: Float64Array
    kind: Int64Array
    words_of: Int64Array
    words: NDArray[np.uint32]

    @property
    def arrays(
        self,
    ) -> tuple[Int64Array, Int64Array, Float64Array, Int64Array, Int64Array, NDArray[np.uint32]]:
        """All of them, as kernels take them."""
        return (
            self.of_tree, self.feature, self.threshold, self.kind, self.words_of, self.words,
        )  # fmt: skip


@lru_cache(maxsize=4)
def read_trees(text: str) -> tuple[Tree, ...]:
    """All trees of LightGBM's text, in order."""
    return tuple(_keys(part) for part in text.partition("\nend of trees")[0].split("\nTree=")[1:])


def n_leaves(tree: Tree) -> int:
    """How many leaves a tree has; one where it never splits."""
    return int(tree["num_leaves"])


def _keys(part: str) -> Tree:
    return dict(line.split("=", 1) for line in part.splitlines() if "=" in line)


def is_linear(tree: Tree) -> bool:
    """Whether its leaves hold models instead of values."""
    return tree.get("is_linear", "0") != "0"


def starts_of(sizes: Int64Array) -> Int64Array:
    """Where runs of these sizes start, one after the other; the last one's end too."""
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(sizes)])


def numbers(tree: Tree, name: str) -> list[int]:
    """A list of whole numbers."""
    return [int(word) for word in tree[name].split()]


def read_splits(trees: Sequence[Tree]) -> Splits:
    """The nodes of these trees; those that never split have none."""
    feature: list[int] = []
    threshold: list[float] = []
    kind: list[int] = []
    words: list[int] = []
    of_tree, words_of = [0], [0]
    for tree in trees:
        if n_leaves(tree) == 1:
            of_tree.append(len(feature))
            continue
        limits = [float(word) for word in tree["threshold"].split()]
        kinds = numbers(tree, "decision_type")
        has_sets = int(tree["num_cat"]) > 0
        bounds = numbers(tree, "cat_boundaries") if has_sets else []
        sets = numbers(tree, "cat_threshold") if has_sets else []
        for limit, one in zip(limits, kinds, strict=True):
            if one & _CATEGORICAL:
                words += sets[bounds[int(limit)] : bounds[int(limit) + 1]]
            words_of.append(len(words))
        feature += numbers(tree, "split_feature")
        threshold += limits
        kind += kinds
        of_tree.append(len(feature))
    return Splits(
        of_tree=np.array(of_tree, dtype=np.int64),
        feature=np.array(feature, dtype=np.int64),
        threshold=np.array(threshold, dtype=np.float64),
        kind=np.array(kind, dtype=np.int64),
        words_of=np.array(words_of, dtype=np.int64),
        words=np.array(words, dtype=np.uint32),
    )


@njit(cache=True, nogil=True)
def take_ways(columns, splits, tree, ways):  # type: ignore[no-untyped-def]
    """Set bit i of a row's way where it goes left at the tree's node i.

    Parameters
    ----------
    columns : features, one row of the array per column of the matrix, (F, n).
    splits : `Splits.arrays`.
    ways : uint64, shape (n,); is overwritten.
    """
    of_tree, feature, threshold, kind, words_of, words = splits
    ways[:] = 0
    for node in range(of_tree[tree], of_tree[tree + 1]):
        values = columns[feature[node]]
        bit = np.uint64(1) << np.uint64(node - of_tree[tree])
        missing = kind[node] >> 2 & 3
        if kind[node] & _CATEGORICAL:
            own = words[words_of[node] : words_of[node + 1]]
            for row in range(len(ways)):
                if _is_in(values[row], own):
                    ways[row] |= bit
        elif missing == _MISSING_ZERO:
            default = bit if kind[node] & _DEFAULT_LEFT else np.uint64(0)
            for row in range(len(ways)):
                value = np.float64(values[row])
                if np.isnan(value) or -_SMALLEST <= value <= _SMALLEST:
                    ways[row] |= default
                elif value <= threshold[node]:
                    ways[row] |= bit
        else:
            # Without a branch for missing values this loop runs on several rows at once.
            left = threshold[node] >= 0.0
            if missing == _MISSING_NAN:
                left = kind[node] & _DEFAULT_LEFT != 0
            if_nan = bit if left else np.uint64(0)
            limit = threshold[node]
            for row in range(len(ways)):
                value = np.float64(values[row])
                ways[row] |= bit if value <= limit else np.uint64(0)
                ways[row] |= if_nan if value != value else np.uint64(0)  # noqa: PLR0124


@njit(cache=True, nogil=True)
def _is_in(value, words):  # type: ignore[no-untyped-def]
    """Whether a category's bit is set."""
    if np.isnan(value) or value <= -1.0 or value >= 32.0 * len(words):
        return False
    category = int(value)
    return (words[category >> 5] >> np.uint32(category & 31)) & np.uint32(1) == 1
