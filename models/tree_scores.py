"""A forest's raw scores, read off tables with a line for every way through a tree.

All rows of a block meet a node together, so that the comparisons run on several rows at
once; LightGBM walks row by row. The sums are LightGBM's, to the bit.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

from models.tree_splits import (
    BLOCK_ROWS,
    SMALL_NODES,
    Splits,
    Tree,
    is_linear,
    n_leaves,
    numbers,
    read_splits,
    read_trees,
    starts_of,
    take_ways,
)

Float64Array = NDArray[np.float64]
Int64Array = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ScoreTables:
    """What raw scores are read from.

    Attributes
    ----------
    splits : of all trees.
    starts : tree t's values start at starts[t], one per way (a bit per node, 1: left).
    values : log-odds.
    per_round : trees of a round; tree t adds to sum t % per_round.
    """

    splits: Splits
    starts: Int64Array
    values: Float64Array
    per_round: int

    def raw_scores(self, rows: NDArray[np.floating]) -> Float64Array:
        """Sums of the trees, shape (n,), or (n, per_round) where that is more than one.

        Parameters
        ----------
        rows : features, shape (n, F).
        """
        scores = np.empty((len(rows), self.per_round), dtype=np.float64)
        for start in range(0, len(rows), BLOCK_ROWS):
            columns = np.ascontiguousarray(rows[start : start + BLOCK_ROWS].T)
            sums = np.zeros((self.per_round, columns.shape[1]), dtype=np.float64)
            _add_values(columns, self.splits.arrays, self.starts, self.values, sums)
            scores[start : start + BLOCK_ROWS] = sums.T
        return scores[:, 0] if self.per_round == 1 else scores


@lru_cache(maxsize=4)
def score_tables(text: str) -> ScoreTables | None:
    """The tables of a forest in LightGBM's text form; made once per forest and process.

    Returns
    -------
    None for a forest of trees too large for tables, or that does not simply add them up;
    LightGBM itself serves then.
    """
    head = text.partition("\nTree=")[0]
    trees = read_trees(text)
    if any(n_leaves(tree) > SMALL_NODES + 1 or is_linear(tree) for tree in trees):
        return None
    if "\naverage_output" in head or not trees:
        return None
    line = next(line for line in head.splitlines() if line.startswith("num_tree_per_iteration="))
    values = [_values_of(tree) for tree in trees]
    return ScoreTables(
        splits=read_splits(trees),
        starts=starts_of(np.array([len(one) for one in values], dtype=np.int64)),
        values=np.concatenate(values),
        per_round=int(line.partition("=")[2]),
    )


def _values_of(tree: Tree) -> Float64Array:
    """The value that every way leads to; shape (2 ** nodes,)."""
    values = np.array([float(word) for word in tree["leaf_value"].split()], dtype=np.float64)
    if n_leaves(tree) == 1:
        return values
    children = np.array([numbers(tree, "right_child"), numbers(tree, "left_child")])
    ways = np.arange(1 << children.shape[1])
    node = np.zeros(len(ways), dtype=np.int64)
    # No path is longer than there are nodes; who has reached a leaf stays there.
    for _ in range(children.shape[1]):
        inner = np.maximum(node, 0)
        node = np.where(node < 0, node, children[ways >> inner & 1, inner])
    return values[~node]


@njit(cache=True, nogil=True)
def _add_values(columns, splits, starts, values, sums):  # type: ignore[no-untyped-def]
    """Add every tree's value to its sum; columns (F, n), sums (per_round, n)."""
    ways = np.empty(columns.shape[1], np.uint64)
    for tree in range(len(starts) - 1):
        take_ways(columns, splits, tree, ways)
        own = values[starts[tree] : starts[tree + 1]]
        out = sums[tree % len(sums)]
        for row in range(len(ways)):
            out[row] += own[np.int64(ways[row])]
