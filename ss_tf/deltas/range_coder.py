"""The codec `range`: a range coder with static tables, the closest to the entropy. Optional.

A stream is little-endian: CRC-32 of the data and number of words (4 bytes each); the blocks' tables
in order, until their lengths add up to that of the data; the words (4 bytes each) of constriction's
`RangeEncoder`. A table is the block's length (4 bytes), the number of its symbols less 1 (1 byte),
the symbols, ascending (1 byte each), and a weight w for each (1 byte), for the probability that is
proportional to _WEIGHTS[w]. Blocks of a single symbol take no words.
"""

from __future__ import annotations

import functools
import struct
import types
import zlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from ss_tf.deltas import huffman

_PREFIX = struct.Struct("<II")
_TABLE = struct.Struct("<IB")
# 2 ** (-w / 8) to 8 bits: a probability is off by at most 4.5 %, which costs below 0.001 bits per
# symbol. Products of small integers and powers of two, so that they are the same on every machine.
_OCTAVE = np.array([256, 235, 215, 197, 181, 166, 152, 140], np.float64)
_WEIGHTS = np.ldexp(np.tile(_OCTAVE, 32), -np.repeat(np.arange(32), 8))


class _Block(NamedTuple):
    """A run of bytes with one table: its length, the symbols and the index of their weights."""

    length: int
    symbols: np.ndarray
    weights: np.ndarray


def encode(data: bytes, bounds: Sequence[int] = ()) -> bytes:
    """Compresses data.

    Args:
      data: any bytes.
      bounds: positions where a new table may pay, ascending.

    Raises:
      ValueError: if constriction is not installed.
    """
    stream = _constriction().stream
    encoder = stream.queue.RangeEncoder()
    values = np.frombuffer(data, np.uint8)
    ends = huffman.split(values, bounds, cost=_block_bytes)
    tables, start = [], 0
    for end in ends:
        block = _block(values[start:end])
        tables.append(_TABLE.pack(block.length, block.symbols.size - 1))
        tables += [block.symbols.tobytes(), block.weights.tobytes()]
        if block.symbols.size > 1:
            places = np.searchsorted(block.symbols, values[start:end]).astype(np.int32)
            encoder.encode(places, _model(stream, block))
        start = end
    words = encoder.get_compressed()
    prefix = _PREFIX.pack(zlib.crc32(data), words.size)
    return prefix + b"".join(tables) + words.astype("<u4").tobytes()


def decode(data: bytes, size: int) -> bytes:
    """Restores `size` bytes from a stream of `encode`.

    Raises:
      ValueError: if constriction is not installed, or the stream is damaged or truncated.
    """
    stream = _constriction().stream
    try:
        crc, num_words = _PREFIX.unpack_from(data)
        blocks = list(_read_tables(data, size))
    except struct.error as error:
        raise ValueError(f"The range stream of {len(data)} bytes is truncated.") from error
    start = _PREFIX.size + sum(_TABLE.size + 2 * block.symbols.size for block in blocks)
    if len(data) != start + 4 * num_words:
        raise ValueError(
            f"The range stream of {len(data)} bytes is truncated or damaged, "
            f"expected {start + 4 * num_words}."
        )
    decoder = stream.queue.RangeDecoder(np.frombuffer(data, "<u4", offset=start).astype(np.uint32))
    decoded = b"".join(_decode_block(stream, decoder, block) for block in blocks)
    if zlib.crc32(decoded) != crc:
        raise ValueError("The range stream is damaged: its data does not have the CRC it should.")
    return decoded


def _read_tables(data: bytes, size: int) -> Iterator[_Block]:
    """Yields the tables of `size` bytes in all; raises struct.error where the data end."""
    start = _PREFIX.size
    while size > 0:
        length, last = _TABLE.unpack_from(data, start)
        start += _TABLE.size
        table = np.frombuffer(struct.unpack_from(f"{2 * (last + 1)}s", data, start)[0], np.uint8)
        start += table.size
        if not 0 < length <= size:
            raise ValueError(f"The range stream is damaged: a block of {length} bytes in {size}.")
        yield _Block(length, *np.split(table, 2))
        size -= length


def _decode_block(stream: types.ModuleType, decoder: object, block: _Block) -> bytes:
    """Returns the bytes of the next block."""
    if block.symbols.size == 1:
        return block.symbols.tobytes() * block.length
    try:
        places = decoder.decode(_model(stream, block), block.length)
    except AssertionError as error:  # Its word for a stream that no data leads to.
        raise ValueError(f"The range stream is damaged: {error}") from error
    return block.symbols[places].tobytes()


def _block(values: np.ndarray) -> _Block:
    """Returns the table of a block."""
    symbols, counts = np.unique(values, return_counts=True)
    octaves = np.log2(counts.max() / counts)
    weights = np.minimum(np.rint(8 * octaves), _WEIGHTS.size - 1)
    return _Block(values.size, symbols, weights.astype(np.uint8))


def _block_bytes(counts: np.ndarray) -> float:
    """Returns what a block takes: its table, and the entropy of its bytes."""
    counts = counts[counts > 0]
    entropy_bits = np.sum(counts * np.log2(counts.sum() / counts))
    return _TABLE.size + 2 * counts.size + float(entropy_bits) / 8


def _model(stream: types.ModuleType, block: _Block) -> object:
    return stream.model.Categorical(_WEIGHTS[block.weights], perfect=False)


@functools.cache
def _constriction() -> types.ModuleType:
    """Imports the package, which only the extra `range` installs."""
    try:
        import constriction
    except ImportError as error:
        raise ValueError(
            "The codec 'range' needs the package constriction, which is not installed: "
            'pip install "ss_tf[range]".'
        ) from error
    return constriction
