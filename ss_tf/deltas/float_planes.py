"""Float tensors as planes of bytes: all first bytes, all second bytes, and so on.

Signs and exponents are alike, the last bits of a mantissa are noise: apart, each takes what it is
worth. Tensors of one kind (the last part of the name: gamma, beta, moving_mean, ...) have a form in
common:

* how many bytes of each number are kept, the most significant: 2 if all of them are bfloat16;
* whether they are stored as they are, or relative to the base's number of that name: as unsigned
  whole numbers the bit patterns without the bytes that are left out are subtracted, in two's
  complement of as many bytes, and the difference d becomes 2 d if it is not negative, -2 d - 1 if
  it is, so that what is near is small.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from ss_tf.deltas import huffman

_WIDTH = 4


class Form(NamedTuple):
    """How the tensors of one kind are stored.

    Attributes:
      kept_bytes: of each number, 1..4.
      is_relative: whether the base's numbers are subtracted.
    """

    kept_bytes: int
    is_relative: bool


def by_kind(names: Iterable[str]) -> list[list[str]]:
    """Groups names of tensors by their last part; the groups are sorted, and their names too."""
    kinds = {}
    for name in sorted(names):
        kinds.setdefault(name.rpartition("/")[2], []).append(name)
    return [kinds[kind] for kind in sorted(kinds)]


def split(
    tensors: Mapping[str, np.ndarray], base: Mapping[str, np.ndarray]
) -> tuple[list[Form], list[np.ndarray]]:
    """Splits tensors into planes, each kind in the form that takes the fewest bytes.

    Args:
      tensors: name -> float32 tensor.
      base: the same names -> the base's tensor; those of another shape count as zeros.

    Returns:
      The form of each kind, in the order of `by_kind`, and four planes, uint8, the least
      significant bytes first. A plane holds the numbers that keep its byte, in that order.
    """
    forms, planes = [], [[np.zeros(0, np.uint8)] for _ in range(_WIDTH)]
    for names in by_kind(tensors):
        bits = np.concatenate([_bits(tensors[name]) for name in names])
        kept_bytes = _kept_bytes(bits)
        plain = bits >> _dropped_bits(kept_bytes)
        base_bits = _base_bits(base, {name: tensors[name].shape for name in names}, kept_bytes)
        relative = _fold(plain - base_bits, kept_bytes)
        is_relative = _cost(relative) < _cost(plain)
        forms.append(Form(kept_bytes, is_relative))
        columns = _columns(relative if is_relative else plain)[:kept_bytes]
        for plane, column in zip(planes[_WIDTH - kept_bytes :], columns, strict=True):
            plane.append(column)
    return forms, [np.concatenate(plane) for plane in planes]


def plane_sizes(shapes: Mapping[str, tuple[int, ...]], forms: list[Form]) -> list[int]:
    """Returns the bytes of each of the four planes.

    Args:
      shapes: name -> shape of the tensor.
      forms: of each kind, in the order of `by_kind`.
    """
    sizes = [0] * _WIDTH
    for names, form in zip(by_kind(shapes), forms, strict=True):
        for place in range(_WIDTH - form.kept_bytes, _WIDTH):
            sizes[place] += sum(math.prod(shapes[name]) for name in names)
    return sizes


def join(
    planes: list[np.ndarray],
    forms: list[Form],
    *,
    shapes: Mapping[str, tuple[int, ...]],
    base: Mapping[str, np.ndarray],
) -> dict[str, np.ndarray]:
    """Undoes `split`.

    Args:
      planes: four, uint8, of `plane_sizes`.
      forms: of each kind.
      shapes: name -> shape of the tensor.
      base: as it was given to `split`.

    Returns:
      name -> float32 tensor. The arrays are new.
    """
    tensors, starts = {}, [0] * _WIDTH
    for names, (kept_bytes, is_relative) in zip(by_kind(shapes), forms, strict=True):
        sizes = [math.prod(shapes[name]) for name in names]
        bits = np.zeros((sum(sizes), _WIDTH), np.uint8)
        for column, place in enumerate(range(_WIDTH - kept_bytes, _WIDTH)):
            bits[:, column] = planes[place][starts[place] : starts[place] + len(bits)]
            starts[place] += len(bits)
        numbers = bits.view("<u4").ravel().astype(np.uint32)
        if is_relative:
            base_bits = _base_bits(base, {name: shapes[name] for name in names}, kept_bytes)
            numbers = _unfold(numbers) + base_bits
        numbers <<= _dropped_bits(kept_bytes)
        parts = np.split(numbers.view(np.float32), np.cumsum(sizes)[:-1])
        for name, part in zip(names, parts, strict=True):
            tensors[name] = part.reshape(shapes[name]).copy()
    return tensors


def _bits(tensor: np.ndarray) -> np.ndarray:
    """Returns the bit patterns of a float32 tensor, uint32 `[n]`."""
    return np.ascontiguousarray(tensor).reshape(-1).view(np.uint32)


def _base_bits(
    base: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]], kept_bytes: int
) -> np.ndarray:
    """Returns the kept bits of the base's tensors, zeros for those of another shape."""
    parts = [
        _bits(base[name] if base[name].shape == shape else np.zeros(shape, np.float32))
        for name, shape in shapes.items()
    ]
    return np.concatenate(parts) >> _dropped_bits(kept_bytes)


def _kept_bytes(bits: np.ndarray) -> int:
    """Returns the fewest leading bytes, at least 1, that hold all that is not zero."""
    used = _columns(np.bitwise_or.reduce(bits, keepdims=True)).ravel()
    return next((_WIDTH - place for place in range(_WIDTH) if used[place]), 1)


def _dropped_bits(kept_bytes: int) -> np.uint32:
    return np.uint32(8 * (_WIDTH - kept_bytes))


def _columns(numbers: np.ndarray) -> np.ndarray:
    """Returns the bytes of uint32 numbers as `[4, n]`, the least significant first."""
    return numbers.astype("<u4").view(np.uint8).reshape(-1, _WIDTH).T


def _fold(differences: np.ndarray, kept_bytes: int) -> np.ndarray:
    """Maps differences modulo 2 ** (8 kept_bytes), 0, -1, 1, -2, ... to 0, 1, 2, 3, ..."""
    signed = (differences << _dropped_bits(kept_bytes)).view(np.int32) >> _dropped_bits(
        kept_bytes
    ).astype(np.int32)
    return ((signed << 1) ^ (signed >> 31)).view(np.uint32)


def _unfold(folded: np.ndarray) -> np.ndarray:
    """Undoes `_fold`, modulo 2 ** 32."""
    return (folded >> 1) ^ (np.uint32(0) - (folded & 1))


def _cost(numbers: np.ndarray) -> float:
    """Returns about the bytes that the planes of uint32 numbers will take."""
    return sum(huffman.estimate(column) for column in _columns(numbers))
