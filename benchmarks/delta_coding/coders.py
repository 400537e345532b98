"""Coders that store a delta, and restore the sub network's kernels from it and the base's."""

from __future__ import annotations

import pathlib
import types
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from delta_coding.cases import Case

from ss_tf.deltas import bank, codecs, entry, residual


class Coder(NamedTuple):
    """A way to store a delta.

    Attributes:
      encode: case -> all that has to be stored beside the base.
      decode: (what was stored, case) -> the sub network's kernels by name, but for the head's. It
        looks at the case's base alone.
    """

    encode: Callable[[Case], bytes]
    decode: Callable[[bytes, Case], dict[str, np.ndarray]]


def of_bytes(encode: Callable[[bytes], bytes], decode: Callable[[bytes], bytes]) -> Coder:
    """Returns a coder that takes the residuals of all kernels as one string of bytes."""
    return Coder(
        lambda case: encode(_joined(case.residuals)), lambda data, case: _apply(decode(data), case)
    )


def ours(bank_dir: pathlib.Path) -> Coder:
    """Returns the bank's coding of the residuals alone, in files in a folder.

    Digests of base and sub network, which no peer has, are left out.
    """

    def encode(case):
        alone = case.kernels_alone
        return bank.write_entry(bank_dir, case.name, base=alone.base, sub=alone.sub).read_bytes()

    def decode(_, case):
        stored = bank.load_entry(bank_dir, case.name)
        return entry.restore(stored, base=case.kernels_alone.base).kernels

    return Coder(encode, decode)


def bank_file(bank_dir: pathlib.Path) -> Coder:
    """Returns the bank itself, which writes and reads files in a folder, and checks them."""

    def encode(case):
        path = bank.write_entry(bank_dir, case.name, base=case.base, sub=case.sub)
        return path.read_bytes()

    def decode(_, case):
        return bank.read_entry(bank_dir, case.name, base=case.base).kernels

    return Coder(encode, decode)


def raw() -> Coder:
    """Returns the coder that stores the residuals as they are."""
    return of_bytes(bytes, bytes)


def py7zr() -> Coder:
    """Returns 7-Zip at its default level."""
    return Coder(
        lambda case: codecs.encode("7z", _joined(case.residuals)),
        lambda data, case: _apply(codecs.decode("7z", data, size=case.weights), case),
    )


def pyppmd(module: types.ModuleType) -> Coder:
    """Returns PPMd in 7-Zip's form, with its default order and memory.

    Not `pyppmd.compress`, which is that of ZIP: version 1.3.1 does not restore our delta of 4 bits.
    """
    order, memory_bytes = 6, 16 << 20

    def encode(case):
        encoder = module.Ppmd7Encoder(order, memory_bytes)
        return encoder.encode(_joined(case.residuals)) + encoder.flush()

    def decode(data, case):
        return _apply(module.Ppmd7Decoder(order, memory_bytes).decode(data, case.weights), case)

    return Coder(encode, decode)


def blosc2(module: types.ModuleType, *, filter_name: str) -> Coder:
    """Returns Blosc with its smallest codec behind `SHUFFLE` or `BITSHUFFLE`."""
    settings = {
        "codec": module.Codec.ZSTD,
        "clevel": 9,
        "filters": [module.Filter[filter_name]],
        "typesize": 1,
        "nthreads": 1,
    }
    return of_bytes(
        lambda data: module.compress2(data, **settings),
        lambda data: module.decompress2(data, nthreads=1),
    )


def bsdiff4(module: types.ModuleType) -> Coder:
    """Returns the coder of binary patches, from the base's int8 bytes to the sub network's."""

    def decode(data, case):
        patched = module.patch(_joined(case.base_kernels), data)
        return _split(np.frombuffer(patched, np.int8), case.base_kernels)

    return Coder(
        lambda case: module.diff(_joined(case.base_kernels), _joined(case.sub_kernels)), decode
    )


def constriction(module: types.ModuleType) -> Coder:
    """Returns a static range coder: of each tensor its values and their counts, then one code."""

    def model(counts):
        shares = (counts / counts.sum()).astype(np.float32)
        return module.stream.model.Categorical(shares, perfect=False)

    def encode(case):
        coder, tables = module.stream.queue.RangeEncoder(), []
        for tensor in case.residuals.values():
            values, indices, counts = np.unique(tensor, return_inverse=True, return_counts=True)
            counts = counts.astype("<u4")
            tables.append(bytes([values.size - 1]) + values.tobytes() + counts.tobytes())
            if values.size > 1:
                coder.encode(indices.ravel().astype(np.int32), model(counts))
        return b"".join(tables) + coder.get_compressed().astype("<u4").tobytes()

    def decode(data, case):
        tables, start = {}, 0
        for name in case.base_kernels:
            size = data[start] + 1
            values = np.frombuffer(data, np.int8, size, start + 1)
            tables[name] = values, np.frombuffer(data, "<u4", size, start + 1 + size)
            start += 1 + 5 * size
        coder = module.stream.queue.RangeDecoder(np.frombuffer(data, "<u4", offset=start))
        residuals = {}
        for name, kernel in case.base_kernels.items():
            values, counts = tables[name]
            indices = np.zeros(kernel.size, np.int32)
            if values.size > 1:
                indices = coder.decode(model(counts), kernel.size)
            residuals[name] = values[indices].reshape(kernel.shape)
        return residual.apply_delta(case.base_kernels, residuals)

    return Coder(encode, decode)


def zipnn(module: types.ModuleType) -> Coder:
    """Returns the coder of float32 kernels, from which zipnn takes the base's by XOR."""

    def arguments(case):
        return {"delta_second_data": bytearray(_joined(case.base_floats))}

    def decode(data, case):
        floats = coder.decompress(data, **arguments(case))
        return _split(np.frombuffer(floats, np.float32), case.base_kernels)

    coder = module.ZipNN(
        input_format="byte", bytearray_dtype="float32", delta_compressed_type="byte", threads=1
    )
    # It writes into what it is given, hence a copy.
    return Coder(
        lambda case: coder.compress(bytearray(_joined(case.sub_floats)), **arguments(case)), decode
    )


def _joined(tensors: Mapping[str, np.ndarray]) -> bytes:
    return b"".join(tensor.tobytes() for tensor in tensors.values())


def _split(values: np.ndarray, like: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Cuts a row of values into tensors of given names and shapes."""
    tensors, start = {}, 0
    for name, tensor in like.items():
        tensors[name] = values[start : start + tensor.size].reshape(tensor.shape)
        start += tensor.size
    return tensors


def _apply(residuals: bytes, case: Case) -> dict[str, np.ndarray]:
    deltas = _split(np.frombuffer(residuals, np.int8), case.base_kernels)
    return residual.apply_delta(case.base_kernels, deltas)
