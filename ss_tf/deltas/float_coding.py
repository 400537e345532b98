"""Float deltas as bytes: few, and back exactly."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping

import numpy as np

from ss_tf.deltas import codecs
from ss_tf.deltas.float_delta import FloatDelta, kernel_names
from ss_tf.models import heads

_CODEC = "zlib-huffman"
# Classes, then the bytes of the three streams; little endian.
_HEADER = struct.Struct("<4I")
# Bounds the memory that forged bytes can ask for; no classification task is near it.
_MOST_CLASSES = 1 << 16


def encode(delta: FloatDelta) -> bytes:
    """Returns the delta as bytes, its size included; `decode` undoes it."""
    streams = [
        codecs.encode(_CODEC, b"".join(tensors[name].tobytes() for name in sorted(tensors)))
        for tensors in (delta.steps, delta.exponents)
    ]
    exact = [delta.exact[name].astype("<f4").ravel() for name in sorted(delta.exact)]
    # Byte by byte of all numbers: signs and exponents have much in common, last digits nothing.
    planes = np.concatenate([np.zeros(0, "<f4"), *exact]).view(np.uint8).reshape(-1, 4).T
    streams.append(codecs.encode(_CODEC, planes.tobytes()))
    head = [delta.exact[name] for name in heads.HEAD_TENSORS if name in delta.exact]
    num_classes = head[0].shape[-1] if head else 0
    return _HEADER.pack(num_classes, *map(len, streams)) + b"".join(streams)


def decode(data: bytes, *, base: Mapping[str, np.ndarray]) -> FloatDelta:
    """Reads what `encode` wrote.

    Args:
      data: its result.
      base: the network that was given to `quantize`; only its names and shapes are used.

    Raises:
      ValueError: if the bytes are damaged, or do not fit the base.
    """
    if len(data) < _HEADER.size:
        raise ValueError(f"A float delta has {len(data)} bytes, expected at least {_HEADER.size}.")
    num_classes, *lengths = _HEADER.unpack_from(data)
    if len(data) != _HEADER.size + sum(lengths) or num_classes > _MOST_CLASSES:
        raise ValueError(
            f"A float delta of {len(data)} bytes says {num_classes} classes and streams of "
            f"{lengths} bytes: it is damaged."
        )
    kernels = kernel_names(base)
    step_shapes = {name: base[name].shape for name in kernels}
    exponent_shapes = {name: shape[-1:] for name, shape in step_shapes.items()}
    exact_shapes = {
        name: (*base[name].shape[:-1], num_classes)
        if name in heads.HEAD_TENSORS
        else base[name].shape
        for name in base.keys() - set(kernels)
    }
    values, start = [], _HEADER.size
    for length, shapes, item_bytes in zip(
        lengths, (step_shapes, exponent_shapes, exact_shapes), (1, 1, 4), strict=True
    ):
        size = item_bytes * sum(map(math.prod, shapes.values()))
        values.append(codecs.decode(_CODEC, data[start : start + length], size=size))
        start += length
    planes = np.frombuffer(values[2], np.uint8).reshape(4, -1)
    exact = np.ascontiguousarray(planes.T).view("<f4").astype(np.float32)
    return FloatDelta(
        _split(np.frombuffer(values[0], np.int8), step_shapes),
        _split(np.frombuffer(values[1], np.int8), exponent_shapes),
        _split(exact.ravel(), exact_shapes),
    )


def _split(values: np.ndarray, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Cuts values into tensors, which follow each other in order of their names."""
    tensors, start = {}, 0
    for name in sorted(shapes):
        size = math.prod(shapes[name])
        tensors[name] = values[start : start + size].reshape(shapes[name])
        start += size
    return tensors
