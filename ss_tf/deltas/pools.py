"""Pools: the stored bytes of many sequences, one compressed stream per codec.

A stream has a beginning, an end and tables; a network has dozens of tensors, most of them small. So
all leaves of the sequences' trees (`ss_tf.deltas.symbols`) that have one codec are one stream, in
this order: the first leaf of each sequence, then the second of each, and so on.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ss_tf.deltas import codecs, packing, symbols

# What another stream in a file takes, and more: its place in the file's header, and its own ends.
_POOL_BYTES = 200
_ENDS_BYTES = 20


def fill(
    sequences: Sequence[packing.Encoded], codec_names: Sequence[str]
) -> tuple[list[symbols.Tree], dict[str, bytes]]:
    """Compresses sequences.

    Args:
      sequences: as `packing.encode` made them.
      codec_names: keys of `codecs.CODECS`. The first is the rule; of the others, each takes the
        leaves that it makes smaller, if all together they save more than another stream costs.

    Returns:
      The trees, their leaves numbered by codec, and the stream of each codec that is used, in
      order of these numbers.
    """
    leaves = [sequence.leaves for sequence in sequences]
    choice = _choose(leaves, codec_names)
    used = sorted({number for numbers in choice for number in numbers})
    pools = {}
    for number in used:
        places = [place for place in _pool_order(map(len, leaves)) if _at(choice, place) == number]
        parts = [_at(leaves, place) for place in places]
        bounds = list(itertools.accumulate(part.size for part in parts))[:-1]
        data = np.concatenate(parts).tobytes()
        pools[codec_names[number]] = codecs.encode(codec_names[number], data, bounds=bounds)
    trees = [
        symbols.with_codecs(sequence.tree, iter([used.index(number) for number in numbers]))
        for sequence, numbers in zip(sequences, choice, strict=True)
    ]
    return trees, pools


def empty(
    pools: Mapping[str, bytes], trees: Sequence[symbols.Tree], *, lengths: Sequence[int]
) -> Iterator[np.ndarray]:
    """Restores the sequences that `fill` compressed, one at a time as they are asked for.

    So what becomes of a sequence can be made while it is still in the processor's cache.

    Args:
      pools: codec -> stream, in order of the codecs' numbers.
      trees: of the sequences; anything may be in them.
      lengths: of the sequences, in bytes.

    Returns:
      The sequences; uint8, some may be read-only. To ask for one raises ValueError if its tree
      does not restore it.

    Raises:
      ValueError: if the trees are none of such sequences, or the streams do not hold exactly them.
    """
    leaves = [symbols.leaf_sizes(tree, length) for tree, length in zip(trees, lengths, strict=True)]
    sizes = [0] * len(pools)
    starts = {}
    for place in _pool_order(map(len, leaves)):
        number, size = _at(leaves, place)
        if number >= len(pools):
            raise ValueError(f"A sequence is in pool {number}, expected one of {len(pools)}.")
        starts[place] = sizes[number]
        sizes[number] += size
    data = [
        np.frombuffer(codecs.decode(name, pool, size=size), np.uint8)
        for (name, pool), size in zip(pools.items(), sizes, strict=True)
    ]

    def restored(row: int) -> np.ndarray:
        stored = (
            data[number][starts[row, column] : starts[row, column] + size]
            for column, (number, size) in enumerate(leaves[row])
        )
        return symbols.decode(trees[row], lengths[row], stored)

    return map(restored, range(len(trees)))


def _choose(leaves: list[list[np.ndarray]], codec_names: Sequence[str]) -> list[list[int]]:
    """Returns the number of the codec of each leaf."""
    choice = [[0] * len(row) for row in leaves]
    for number in range(1, len(codec_names)):
        saved = {}
        for row, column in _pool_order(map(len, leaves)):
            data = leaves[row][column].tobytes()
            rule = len(codecs.encode(codec_names[choice[row][column]], data))
            saved[row, column] = rule - len(codecs.encode(codec_names[number], data))
        # A stream of its own has ends that it will not have in the pool.
        better = {place: gain - _ENDS_BYTES for place, gain in saved.items() if gain > _ENDS_BYTES}
        if sum(better.values()) > _POOL_BYTES:
            for row, column in better:
                choice[row][column] = number
    return choice


def _pool_order(row_lengths: Iterator[int]) -> Iterator[tuple[int, int]]:
    """Yields (row, column) of a ragged table, column by column."""
    lengths = list(row_lengths)
    for column in range(max(lengths, default=0)):
        for row, length in enumerate(lengths):
            if column < length:
                yield row, column


def _at(table: list[list], place: tuple[int, int]) -> object:
    row, column = place
    return table[row][column]
