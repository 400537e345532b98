"""Where a Huffman-only zlib stream should renew its table, and what its blocks will take."""

from __future__ import annotations

import heapq
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

# Pieces of a sequence whose counts are compared; small enough to follow channels, large enough
# that a table of a few dozen symbols pays.
_PIECE_BYTES = 2048
# The time grows with their number; an estimate does with fewer.
_MOST_PIECES, _PIECES_OF_ESTIMATE = 1024, 64
# Of a deflate block: fixed fields and code length code, then about that much per symbol in use;
# fitted to blocks of zlib 1.2.13.
_BLOCK_BYTES, _SYMBOL_BYTES = 12, 0.45
_STORED_BYTES = 5


def code_bytes(counts: np.ndarray) -> float:
    """Returns about what a Huffman block takes, its table included.

    Args:
      counts: `[256]`, how often each byte occurs in the block.
    """
    weights = counts[counts > 0].tolist()
    symbols, total = len(weights), sum(weights)
    bits = total if symbols == 1 else 0
    heapq.heapify(weights)
    # Every merge of Huffman's algorithm lengthens the codes of all below it by a bit.
    while len(weights) > 1:
        merged = heapq.heappop(weights) + weights[0]
        heapq.heapreplace(weights, merged)
        bits += merged
    return _block_bytes(bits, symbols=symbols, total=total)


def roughly_code_bytes(counts: np.ndarray) -> float:
    """Returns `code_bytes` within some 3 %, ten times as fast."""
    weights = np.sort(counts[counts > 0])[::-1]
    total = rest = int(weights.sum())
    bits, first = 0.0, 0
    # A symbol of a share over 2/5 has a code of one bit, which lengthens all others by one.
    while first < weights.size and 5 * weights[first] > 2 * rest:
        bits += rest
        rest -= int(weights[first])
        first += 1
    if rest:
        others = weights[first:]
        bits += float(np.sum(others * np.log2(rest / others)))
    return _block_bytes(bits, symbols=weights.size, total=total)


def split(
    data: np.ndarray,
    bounds: Iterable[int] = (),
    *,
    most_pieces: int = _MOST_PIECES,
    cost: Callable[[np.ndarray], float] = roughly_code_bytes,
) -> list[int]:
    """Splits a sequence into blocks, each to be coded with its own table.

    Pieces are joined pairwise, the pair that saves most first, as long as one table is cheaper
    than two.

    Args:
      data: uint8 `[n]`.
      bounds: positions where the statistics may change, ascending.
      most_pieces: bounds the effort, but for one piece per bound.
      cost: counts `[256]` of a block -> bytes it takes.

    Returns:
      The ends of the blocks, ascending; the last is n, and there is none if n is 0.
    """
    ends = list(_pieces(data.size, bounds, most=most_pieces))
    counts = list(_counts(data, ends))
    costs = [cost(block) for block in counts]

    def saved(i: int) -> float:
        return costs[i] + costs[i + 1] - cost(counts[i] + counts[i + 1])

    savings = [saved(i) for i in range(len(ends) - 1)]
    while savings:
        best = max(range(len(savings)), key=savings.__getitem__)
        if savings[best] <= 0:
            break
        counts[best] += counts.pop(best + 1)
        costs[best : best + 2] = [costs[best] + costs[best + 1] - savings.pop(best)]
        del ends[best]
        for i in range(max(best - 1, 0), min(best + 1, len(savings))):
            savings[i] = saved(i)
    return ends


def estimate(data: np.ndarray) -> float:
    """Returns about what `compress` will make of uint8 data, in bytes."""
    ends = split(data, most_pieces=_PIECES_OF_ESTIMATE)
    return sum(code_bytes(counts) for counts in _counts(data, ends))


def compress(data: np.ndarray, bounds: Iterable[int] = ()) -> bytes:
    """Returns an ordinary zlib stream without matches, with blocks where `split` wants them."""
    # Memory level 9 gives the longest blocks that zlib can, 32 Ki symbols; the compression level
    # has no effect on this strategy.
    compressor = zlib.compressobj(
        level=9, wbits=zlib.MAX_WBITS, memLevel=zlib.DEF_MEM_LEVEL + 1, strategy=zlib.Z_HUFFMAN_ONLY
    )
    stream, start = [], 0
    ends = split(data, bounds)
    for end in ends:
        stream.append(compressor.compress(data[start:end].tobytes()))
        # Closes the block, and adds nothing to it.
        stream.append(compressor.flush(zlib.Z_FINISH if end == data.size else zlib.Z_BLOCK))
        start = end
    return b"".join(stream) if ends else compressor.flush()


def _pieces(size: int, bounds: Iterable[int], *, most: int) -> Iterator[int]:
    """Yields the ends of pieces of about equal length, no piece across a bound."""
    length = max(_PIECE_BYTES, -(-size // most))
    start = 0
    for bound in (*bounds, size):
        while bound - start > 2 * length:
            start += length
            yield start
        if bound > start:
            start = bound
            yield bound


def _counts(data: np.ndarray, ends: Sequence[int]) -> Iterator[np.ndarray]:
    """Yields how often each byte occurs in each block, `[256]`."""
    for start, end in zip([0, *ends], ends, strict=False):
        yield np.bincount(data[start:end], minlength=256)


def _block_bytes(code_bits: float, *, symbols: int, total: int) -> float:
    """Returns what a block takes whose codes have that many bits; it is stored if that is less."""
    return min(_BLOCK_BYTES + _SYMBOL_BYTES * symbols + code_bits / 8, _STORED_BYTES + total)
