"""Each feature's part of a forest's log-odds, read off tables made once per forest.

The Shapley values of a tree are the sums of those of its leaves, and a leaf's depend on a
row only through which of the features on its path lead the row towards it. So every leaf
has a table with one line per set of such features; the tables of a small tree are merged into
one, with a line per way through all its nodes. A row then costs comparisons and additions
instead of LightGBM's walk along all paths, for the same values.

References: Lundberg et al. 2020 (TreeSHAP, path-dependent); Yang 2021 (Fast TreeSHAP).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from models.tree_splits import (
    BLOCK_ROWS,
    MOST_NODES,
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
Float32Array = NDArray[np.float32]
Int64Array = NDArray[np.int64]
UInt64Array = NDArray[np.uint64]

MOST_FEATURES: Final = 12
"""Features on one path; a leaf's table has 2 to this power lines."""

MOST_ENTRIES: Final = 20_000_000
"""Numbers in all tables of a forest: 160 MB."""

_Step = tuple[int, int, float]
"""What a path asks of one feature: nodes that count, what they have to be, share that goes on."""
_Leaf = tuple[dict[int, _Step], float]
"""The features on a leaf's path in order, and its value."""


@dataclass(frozen=True, slots=True)
class Tables:
    """What rows are looked up in: one table per leaf, or per tree where trees are small.

    Attributes
    ----------
    of_tree : tree t owns tables of_tree[t]:of_tree[t + 1].
    of_table : table i speaks of features of_table[i]:of_table[i + 1] of `feature`.
    feature : column.
    care, want : bits of the tree's nodes that split by the feature on the way to the leaf,
        and what they have to be (1: left) for the row to go on; without use in small trees.
    starts : table i starts at starts[i] of `parts`.
    parts : of the log-odds; a leaf's line number has a bit per feature that leads there, a
        small tree's a bit per node.
    """

    of_tree: Int64Array
    of_table: Int64Array
    feature: Int64Array
    care: UInt64Array
    want: UInt64Array
    starts: Int64Array
    parts: Float64Array


@dataclass(frozen=True, slots=True)
class ShapTables:
    """All that contributions of a forest are read from: its small trees and its large ones."""

    small: tuple[Splits, Tables]
    large: tuple[Splits, Tables]

    def contributions(self, values: Float32Array) -> Float64Array:
        """Each feature's part of the log-odds, shape (n, F), bias left out.

        Parameters
        ----------
        values : feature rows, shape (n, F).
        """
        parts = np.zeros(values.shape, dtype=np.float64)
        for start in range(0, len(values), BLOCK_ROWS):
            columns = np.ascontiguousarray(values[start : start + BLOCK_ROWS].T)
            sums = np.zeros(columns.shape, dtype=np.float64)
            for is_small, (splits, tables) in ((True, self.small), (False, self.large)):
                _add_parts(
                    columns,
                    splits.arrays,
                    (tables.of_tree, tables.of_table, tables.feature, tables.care, tables.want),
                    (tables.starts, tables.parts),
                    is_small,
                    sums,
                )
            parts[start : start + BLOCK_ROWS] = sums.T
        return parts


@lru_cache(maxsize=4)
def shap_tables(text: str) -> ShapTables | None:
    """The tables of a forest in LightGBM's text form; made once per forest and process.

    Returns
    -------
    None for a forest whose tables would be too large, or that has models in its leaves;
    LightGBM's own walk serves then.
    """
    trees = [tree for tree in read_trees(text) if n_leaves(tree) > 1]
    if any(n_leaves(tree) > MOST_NODES + 1 or is_linear(tree) for tree in trees):
        return None
    small = [tree for tree in trees if n_leaves(tree) <= SMALL_NODES + 1]
    large = [tree for tree in trees if n_leaves(tree) > SMALL_NODES + 1]
    leaves = [_leaves(tree) for tree in large]
    sizes = [len(path) for tree in leaves for path, _ in tree]
    if max(sizes, default=0) > MOST_FEATURES or sum(k << k for k in sizes) > MOST_ENTRIES:
        return None
    splits = read_splits(small)
    merged = _merge(splits, _tables([_leaves(tree) for tree in small]))
    return ShapTables((splits, merged), (read_splits(large), _tables(leaves)))


def _leaves(tree: Tree) -> list[_Leaf]:
    feature = numbers(tree, "split_feature")
    children = (numbers(tree, "right_child"), numbers(tree, "left_child"))
    counts = (numbers(tree, "internal_count"), numbers(tree, "leaf_count"))
    values = [float(word) for word in tree["leaf_value"].split()]
    found: list[_Leaf] = []
    open_nodes: list[tuple[int, dict[int, _Step]]] = [(0, {})]
    while open_nodes:
        node, path = open_nodes.pop()
        if node < 0:
            found.append((path, values[~node]))
            continue
        for goes_left in (0, 1):
            child = children[goes_left][node]
            rows = counts[0][child] if child >= 0 else counts[1][~child]
            care, want, cover = path.get(feature[node], (0, 0, 1.0))
            step = (care | 1 << node, want | goes_left << node, cover * rows / counts[0][node])
            open_nodes.append((child, {**path, feature[node]: step}))
    return found


def _tables(trees: Sequence[list[_Leaf]]) -> Tables:
    leaves = [leaf for tree in trees for leaf in tree]
    steps = [step for path, _ in leaves for step in path.values()]
    sizes = np.array([len(path) for path, _ in leaves], dtype=np.int64)
    of_table, starts = starts_of(sizes), starts_of(sizes << sizes)
    parts = np.empty(int(starts[-1]), dtype=np.float64)
    cover = np.array([step[2] for step in steps], dtype=np.float64)
    values = np.array([value for _, value in leaves], dtype=np.float64)
    _fill_tables(of_table, cover, values, starts, parts)
    return Tables(
        of_tree=starts_of(np.array([len(tree) for tree in trees], dtype=np.int64)),
        of_table=of_table,
        feature=np.array([name for path, _ in leaves for name in path], dtype=np.int64),
        care=np.array([step[0] for step in steps], dtype=np.uint64),
        want=np.array([step[1] for step in steps], dtype=np.uint64),
        starts=starts,
        parts=parts,
    )


def _merge(splits: Splits, leaves: Tables) -> Tables:
    """One table per tree instead of one per leaf."""
    n_trees = len(splits.of_tree) - 1
    features = [
        np.unique(splits.feature[splits.of_tree[tree] : splits.of_tree[tree + 1]])
        for tree in range(n_trees)
    ]
    sizes = np.array([len(one) for one in features], dtype=np.int64)
    starts = starts_of(sizes << np.diff(splits.of_tree))
    feature = np.concatenate([np.empty(0, dtype=np.int64), *features])
    parts = np.zeros(int(starts[-1]), dtype=np.float64)
    of_table = starts_of(sizes)
    _sum_leaves(
        (leaves.of_tree, leaves.of_table, leaves.feature, leaves.care, leaves.want),
        (leaves.starts, leaves.parts),
        np.diff(splits.of_tree),
        (of_table, feature),
        (starts, parts),
    )
    unused = np.zeros(len(feature), dtype=np.uint64)
    one_each = np.arange(n_trees + 1, dtype=np.int64)
    return Tables(one_each, of_table, feature, unused, unused, starts, parts)


@njit(cache=True, nogil=True)
def _fill_tables(of_table, cover, values, starts, parts):  # type: ignore[no-untyped-def]
    """Shapley values of every leaf's features, for every set of them that leads there.

    Without its features a leaf is reached with the product of their covers; a feature that
    leads there replaces its cover by 1, one that leads away by 0. The sums over the sets of
    the other features, by their number, are the coefficients of the product over them of
    (cover + lead * x).
    """
    for leaf in range(len(values)):
        first = of_table[leaf]
        k = of_table[leaf + 1] - first
        weight = np.full(k, 1.0 / k)
        for size in range(1, k):
            # size! (k - 1 - size)! / k!
            weight[size] = weight[size - 1] * size / (k - size)
        product = np.empty(k)
        for pattern in range(1 << k):
            for mine in range(k):
                product[:] = 0.0
                product[0] = 1.0
                for other in range(k):
                    if other == mine:
                        continue
                    lead = float((pattern >> other) & 1)
                    for size in range(k - 1, 0, -1):
                        product[size] *= cover[first + other]
                        product[size] += product[size - 1] * lead
                    product[0] *= cover[first + other]
                lead = float((pattern >> mine) & 1)
                change = values[leaf] * (lead - cover[first + mine])
                parts[starts[leaf] + pattern * k + mine] = change * (product * weight).sum()


@njit(cache=True, nogil=True)
def _sum_leaves(leaves, lines, n_nodes, trees, merged):  # type: ignore[no-untyped-def]
    leaves_of, of_leaf, feature, care, want = leaves
    leaf_starts, leaf_parts = lines
    of_table, tree_feature = trees
    starts, parts = merged
    for tree in range(len(n_nodes)):
        known = tree_feature[of_table[tree] : of_table[tree + 1]]
        for leaf in range(leaves_of[tree], leaves_of[tree + 1]):
            first, last = of_leaf[leaf], of_leaf[leaf + 1]
            for way in range(1 << n_nodes[tree]):
                pattern = 0
                for place in range(first, last):
                    if (np.uint64(way) ^ want[place]) & care[place] == 0:
                        pattern |= 1 << (place - first)
                line = leaf_starts[leaf] + pattern * (last - first)
                for place in range(first, last):
                    at = np.searchsorted(known, feature[place])
                    parts[starts[tree] + way * len(known) + at] += leaf_parts[line + place - first]


@njit(cache=True, nogil=True)
def _add_parts(columns, splits, tables, lines, is_small, sums):  # type: ignore[no-untyped-def]
    """Add every tree's parts to `sums`; both have shape (F, n)."""
    of_tree, of_table, feature, care, want = tables
    starts, parts = lines
    n_rows = columns.shape[1]
    ways = np.empty(n_rows, np.uint64)
    line = np.empty(n_rows, np.int64)
    for tree in range(len(of_tree) - 1):
        take_ways(columns, splits, tree, ways)
        for table in range(of_tree[tree], of_tree[tree + 1]):
            first, last = of_table[table], of_table[table + 1]
            width = last - first
            if is_small:
                for row in range(n_rows):
                    line[row] = starts[table] + np.int64(ways[row]) * width
            else:
                line[:] = starts[table]
                for place in range(first, last):
                    step = width << (place - first)
                    for row in range(n_rows):
                        if (ways[row] ^ want[place]) & care[place] == 0:
                            line[row] += step
            for place in range(first, last):
                out = sums[feature[place]]
                for row in range(n_rows):
                    out[row] += parts[line[row] + place - first]
