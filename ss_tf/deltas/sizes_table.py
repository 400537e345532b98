"""A bank's files beside the entropy of what they hold, as plain numbers."""

from __future__ import annotations

import pathlib
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from ss_tf.deltas import bank, layout, pools, residual, sizes
from ss_tf.deltas import entry as entries
from ss_tf.models.integer_network import IntegerNetwork

_ENTRY_BYTES = ("file_bytes", "header_bytes", "int8_bytes", "fp32_bytes")


def table(bank_dir: pathlib.Path, base: IntegerNetwork) -> dict[str, object]:
    """Measures a bank, file by file and tensor by tensor.

    The limit that bytes are compared with, `entropy_bytes`, is the sum over the stored tensors of
    the order-0 entropy of their values: residuals and the head's kernel as int8, floats and own
    scales as the bytes of their float32 numbers. Neither histograms nor a header are counted in it.

    Args:
      bank_dir: folder of the bank.
      base: the network that it is relative to.

    Returns:
      `superclasses`, by name, and `total`, each with
      * `file_bytes`, and in it `header_bytes`: all but the streams;
      * `int8_bytes` and `fp32_bytes` of the sub network's values: a weight of a kernel has 1 or 4,
        a scale or another float 4 in both;
      * `entropy_bytes`, and `grouped_entropy_bytes`, in which the channels of each level are a
        tensor of their own where an entry sorts them;
      * `file_over_entropy` (None if there is no entropy), `int8_ratio`, `fp32_ratio`;
      * `zero_share`, `escape_share` (stored apart, see `ss_tf.deltas.symbols`) and `clipped_share`
        (|value| = 127 in the sub network) of the weights stored as residuals: all but the head's.

      Each superclass also has `streams`, codec -> bytes, and `tensors`: name -> `is_residual`,
      number of `values`, both entropies, and how many values are `zeros`, `escapes`, `clipped`
      (None for floats). A stream is common to all tensors, so that none has bytes of its own.

    Raises:
      ValueError: if there is no entry, or one is damaged or of another base; the message names it.
    """
    superclasses = {name: _entry(bank_dir, name, base=base) for name in bank.names(bank_dir)}
    if not superclasses:
        raise ValueError(f"{bank_dir} holds no entry, expected a bank: NAME.safetensors files.")
    rows = superclasses.values()
    total = _summary(
        [tensor for row in rows for tensor in row["tensors"].values()],
        **{key: sum(row[key] for row in rows) for key in _ENTRY_BYTES},
    )
    return {"superclasses": superclasses, "total": total}


def _entry(bank_dir: pathlib.Path, name: str, *, base: IntegerNetwork) -> dict[str, object]:
    """Returns what `table` says of one superclass."""
    sub = bank.read_entry(bank_dir, name, base=base)
    entry = bank.load_entry(bank_dir, name)
    streams = {codec: len(stream) for codec, stream in entry.pools.items()}
    file_bytes = bank.entry_path(bank_dir, name).stat().st_size
    weights = sum(kernel.size for kernel in sub.kernels.values())
    others = sum(tensor.size for tensor in (*sub.scales.values(), *sub.floats.values()))
    tensors = dict(_tensors(entry, base=base, sub=sub))
    summary = _summary(
        tensors.values(),
        file_bytes=file_bytes,
        header_bytes=file_bytes - sum(streams.values()),
        int8_bytes=weights + 4 * others,
        fp32_bytes=4 * (weights + others),
    )
    return summary | {"streams": streams, "tensors": tensors}


def _tensors(
    entry: entries.Entry, *, base: IntegerNetwork, sub: IntegerNetwork
) -> Iterator[tuple[str, dict[str, object]]]:
    """Yields each stored tensor's name and what `table` says of it."""
    names, trees, lengths = zip(*entries.sequences(entry, base=base), strict=True)
    stored = dict(zip(names, trees, strict=True))
    sequences = dict(zip(names, pools.empty(entry.pools, trees, lengths=lengths), strict=True))
    kernels = residual.compute_delta(layout.body_kernels(base), layout.body_kernels(sub))
    kernels[layout.HEAD_KERNEL] = sub.kernels[layout.HEAD_KERNEL]
    for name, values in kernels.items():
        tree, levels = stored[name], sequences.get(f"{name}:levels")
        groups = [values]
        if levels is not None:
            groups = [values[..., levels == level] for level in np.unique(levels)]
        yield (
            f"kernels/{name}",
            {
                "is_residual": name != layout.HEAD_KERNEL,
                "values": values.size,
                "entropy_bytes": sizes.entropy_bytes(values),
                "grouped_entropy_bytes": sum(map(sizes.entropy_bytes, groups)),
                "zeros": values.size - int(np.count_nonzero(values)),
                "escapes": tree[3] if isinstance(tree, list) and len(tree) == 5 else 0,
                "clipped": int(np.count_nonzero(np.abs(sub.kernels[name]) == 127)),
            },
        )
    tensors = layout.tensors_of(sub)
    shapes = layout.float_shapes(base, num_classes=entry.num_classes, own_scales=entry.own_scales)
    for name in sorted(shapes):
        entropy = sizes.entropy_bytes(np.frombuffer(tensors[name].tobytes(), np.int8))
        yield (
            name,
            {
                "is_residual": False,
                "values": tensors[name].size,
                "entropy_bytes": entropy,
                "grouped_entropy_bytes": entropy,
                **dict.fromkeys(("zeros", "escapes", "clipped")),
            },
        )


def _summary(tensors: Iterable[Mapping[str, object]], **file_sizes: int) -> dict[str, object]:
    """Adds up tensors, and puts `file_sizes` (`_ENTRY_BYTES`) in relation to them."""
    tensors = list(tensors)
    residuals = [tensor for tensor in tensors if tensor["is_residual"]]
    weights = sum(tensor["values"] for tensor in residuals)
    entropy, grouped = (
        sum(tensor[key] for tensor in tensors) for key in ("entropy_bytes", "grouped_entropy_bytes")
    )

    def share(key: str) -> float | None:
        return sum(tensor[key] for tensor in residuals) / weights if weights else None

    return {
        **file_sizes,
        "entropy_bytes": entropy,
        "grouped_entropy_bytes": grouped,
        "file_over_entropy": sizes.size_ratio(file_sizes["file_bytes"], entropy)
        if entropy
        else None,
        "int8_ratio": sizes.size_ratio(file_sizes["file_bytes"], file_sizes["int8_bytes"]),
        "fp32_ratio": sizes.size_ratio(file_sizes["file_bytes"], file_sizes["fp32_bytes"]),
        "zero_share": share("zeros"),
        "escape_share": share("escapes"),
        "clipped_share": share("clipped"),
    }
