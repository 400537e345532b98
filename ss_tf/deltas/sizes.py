"""Sizes of stored sub networks: bytes of real files, and what a perfect coder would need."""

from __future__ import annotations

import dataclasses
import math
import pathlib
from collections.abc import Mapping

import numpy as np

from ss_tf.deltas import bank, codecs, residual
from ss_tf.deltas import entry as entries
from ss_tf.models import integer_network
from ss_tf.models.integer_network import IntegerNetwork


@dataclasses.dataclass(frozen=True, kw_only=True)
class EntrySize:
    """What the file of one bank entry consists of.

    Attributes:
      file_bytes: the file; the sum of payload, side and header.
      payload_bytes: compressed residuals.
      side_bytes: compressed tensors that are stored as they are: head, floats, scales.
      header_bytes: names, digests, offsets.
      num_residuals: int8 values in the payload.
      entropy_bytes: order-0 entropy of the residuals, pooled over all kernels.
      zero_share: fraction of the residuals that are zero, in [0, 1]; 0 if there are none.
    """

    file_bytes: int
    payload_bytes: int
    side_bytes: int
    header_bytes: int
    num_residuals: int
    entropy_bytes: float
    zero_share: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class BankSize:
    """All entries of a bank together.

    Attributes:
      entries: superclass name -> size of its entry.
      original_bytes: superclass name -> size of its network before compression.
      total_bytes: sum of the files.
      mean_size_ratio: mean over the superclasses of file / original.
    """

    entries: Mapping[str, EntrySize]
    original_bytes: Mapping[str, int]
    total_bytes: int
    mean_size_ratio: float


def size_ratio(compressed_bytes: float, original_bytes: float) -> float:
    """Returns compressed / original; below 1 is smaller.

    Raises:
      ValueError: if the original is empty.
    """
    if original_bytes <= 0:
        raise ValueError(f"The original has {original_bytes} bytes, expected at least 1.")
    return compressed_bytes / original_bytes


def entropy_bytes(values: np.ndarray) -> float:
    """Returns the order-0 entropy of int8 values: the least that a coder of single values needs.

    Args:
      values: int8, any shape.

    Returns:
      Bytes: sum over values of -log2(share of the value) / 8. The histogram is not counted.

    Raises:
      ValueError: if the values are not int8.
    """
    if values.dtype != np.int8:
        raise ValueError(f"Values are {values.dtype}, expected int8.")
    counts = np.bincount(values.reshape(-1).view(np.uint8), minlength=1)
    counts = counts[counts > 0]
    return float(np.sum(counts * np.log2(values.size / counts))) / 8


def fp16_7z_bytes(base: Mapping[str, np.ndarray], sub: Mapping[str, np.ndarray]) -> int:
    """Returns the size of the paper's float delta: sub minus base in fp16, as one 7z archive.

    Args:
      base: tensor name -> float32 weights. Not modified.
      sub: the same names; the same shapes but for the head.

    Returns:
      Bytes of the archive, which holds all differences in order of their names, and the head,
      whose shape depends on the number of classes, as it is in fp16.

    Raises:
      ValueError: naming the tensor, if one is missing from either side or differs in shape.

    Form of Wen et al., arXiv 2201.08098, efficient super-sub networks. It is measured for
    comparison: fp16 rounds, so this delta does not restore the sub network exactly.
    """
    for name in sorted(base.keys() ^ sub.keys()):
        where = "base" if name in sub else "sub network"
        raise ValueError(f"{name!r} is missing from the {where}.")
    halves = []
    for name in sorted(sub):
        if integer_network.is_head(name):
            difference = sub[name]
        elif sub[name].shape == base[name].shape:
            difference = sub[name] - base[name]
        else:
            raise ValueError(
                f"{name!r} has shape {sub[name].shape}, expected the base's {base[name].shape}."
            )
        halves.append(difference.astype("<f2").tobytes())
    return len(codecs.encode("7z", b"".join(halves)))


def entry_size(bank_dir: pathlib.Path, superclass_name: str, *, base: IntegerNetwork) -> EntrySize:
    """Measures one entry of a bank.

    Raises:
      ValueError: as `bank.read_entry`.
    """
    entry = bank.load_entry(bank_dir, superclass_name)
    sub = bank.read_entry(bank_dir, superclass_name, base=base)
    deltas = residual.compute_delta(entries.body_kernels(base), entries.body_kernels(sub))
    residuals = np.concatenate(
        [np.zeros(0, np.int8), *(delta.ravel() for delta in deltas.values())]
    )
    file_bytes = bank.entry_path(bank_dir, superclass_name).stat().st_size
    zeros = residuals.size - np.count_nonzero(residuals)
    return EntrySize(
        file_bytes=file_bytes,
        payload_bytes=len(entry.residuals),
        side_bytes=len(entry.whole),
        header_bytes=file_bytes - len(entry.residuals) - len(entry.whole),
        num_residuals=residuals.size,
        entropy_bytes=entropy_bytes(residuals),
        zero_share=float(zeros / max(residuals.size, 1)),
    )


def bank_size(
    bank_dir: pathlib.Path, *, base: IntegerNetwork, original_bytes: Mapping[str, int]
) -> BankSize:
    """Measures all entries of a bank.

    Args:
      bank_dir: folder of the bank.
      base: the base of its deltas.
      original_bytes: superclass name -> size of its network before compression, such as that of
        its int8 file; exactly the superclasses of the bank.

    Raises:
      ValueError: if the bank is empty or its superclasses are others, or as `bank.read_entry`.
    """
    found = bank.names(bank_dir)
    if not found or set(found) != set(original_bytes):
        raise ValueError(
            f"{bank_dir} has entries for {list(found)}, expected {sorted(original_bytes)}."
        )
    sizes = {name: entry_size(bank_dir, name, base=base) for name in found}
    ratios = [size_ratio(sizes[name].file_bytes, original_bytes[name]) for name in found]
    return BankSize(
        entries=sizes,
        original_bytes=dict(original_bytes),
        total_bytes=sum(size.file_bytes for size in sizes.values()),
        mean_size_ratio=math.fsum(ratios) / len(ratios),
    )
