"""What `python -m ss_tf.deltas.sizes BANK` prints: a bank's sizes beside the entropy."""

from __future__ import annotations

import argparse
import pathlib
from collections.abc import Iterator, Mapping, Sequence

from ss_tf.deltas import bank, sizes_table
from ss_tf.models import integer_network
from ss_tf.models.integer_network import IntegerNetwork

_LEGEND = """\
header: all of a file but its compressed streams. entropy: the limit for a coder of single values,
sum over the stored tensors of their order-0 entropy; residuals and head as int8, floats as bytes.
grouped: the same, the channels of a level apart where an entry sorts them. /int8, /fp32: the file
over the values of the sub network, 1 or 4 bytes a weight, 4 a scale or another float in both.
zeros, escapes, clipped (|value| = 127): of the weights that are stored as residuals."""
_TENSORS_LEGEND = """\
Bytes are those of whole streams: a stream holds parts of all tensors, coded with common tables.
Escapes are values that stand apart from the packed ones."""
# Title, key and format.
_COLUMNS = (
    ("file", "file_bytes", ",d"),
    ("header", "header_bytes", ",d"),
    ("entropy", "entropy_bytes", ",.0f"),
    ("grouped", "grouped_entropy_bytes", ",.0f"),
    ("/entropy", "file_over_entropy", ".4f"),
    ("/int8", "int8_ratio", ".4f"),
    ("/fp32", "fp32_ratio", ".4f"),
    ("zeros", "zero_share", ".2%"),
    ("escapes", "escape_share", ".2%"),
    ("clipped", "clipped_share", ".2%"),
)
_TENSOR_COLUMNS = (
    ("values", "values", ",d"),
    ("entropy", "entropy_bytes", ",.1f"),
    ("grouped", "grouped_entropy_bytes", ",.1f"),
    ("zeros", "zeros", ",d"),
    ("escapes", "escapes", ",d"),
    ("clipped", "clipped", ",d"),
)


def find_base(bank_dir: pathlib.Path) -> IntegerNetwork:
    """Returns the base of a run's bank, by the digest in its first entry.

    Raises:
      ValueError: if there is no entry, or no `networks/*/int8.safetensors` beside the bank is it.
    """
    name = next(iter(bank.names(bank_dir)), None)
    if name is None:
        raise ValueError(f"{bank_dir} holds no entry, expected a bank: NAME.safetensors files.")
    expected = bank.load_entry(bank_dir, name).base
    folder = pathlib.Path(bank_dir).resolve().parent / "networks"
    for path in sorted(folder.glob("*/int8.safetensors")):
        network = integer_network.load(path)
        if integer_network.digest(network) == expected:
            return network
    raise ValueError(f"No {folder}/*/int8.safetensors is the base {expected[:16]}: give --base.")


def lines(measured: Mapping[str, object], *, has_tensors: bool = False) -> Iterator[str]:
    """Yields the lines of a table that people read.

    Args:
      measured: what `sizes_table.table` returned.
      has_tensors: whether there is a table of the tensors of each superclass, too.
    """
    superclasses = measured["superclasses"]
    yield from _aligned({**superclasses, "total": measured["total"]}, _COLUMNS)
    ratio = measured["total"]["file_over_entropy"]
    yield f"bank / entropy: {_cell(ratio, '.4f')}"
    yield from _LEGEND.splitlines()
    if has_tensors:
        for name, row in superclasses.items():
            streams = ", ".join(f"{codec} {size:,}" for codec, size in row["streams"].items())
            yield from ("", f"{name}: {row['file_bytes']:,} bytes, streams: {streams}")
            yield from _aligned(row["tensors"], _TENSOR_COLUMNS)
        yield from ("", *_TENSORS_LEGEND.splitlines())


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the table of a bank; exit code 2 and one line if that cannot be."""
    parser = argparse.ArgumentParser(
        prog="python -m ss_tf.deltas.sizes",
        description="Prints the bytes of a bank's files beside the entropy of what they hold.",
        epilog=_LEGEND,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("bank", type=pathlib.Path, metavar="BANK", help="RUN_DIR/bank")
    parser.add_argument(
        "--base",
        type=pathlib.Path,
        metavar="FILE",
        help="int8.safetensors of the network that the bank is relative to (default: the one of "
        "BANK/../networks/*/ whose digest is in the bank)",
    )
    parser.add_argument("--tensors", action="store_true", help="print every tensor, too")
    options = parser.parse_args(arguments)
    try:
        base = integer_network.load(options.base) if options.base else find_base(options.bank)
        measured = sizes_table.table(options.bank, base)
    except (OSError, ValueError) as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")
    print("\n".join(lines(measured, has_tensors=options.tensors)))


def _aligned(
    rows: Mapping[str, Mapping[str, object]], columns: Sequence[tuple[str, str, str]]
) -> Iterator[str]:
    """Yields a line of titles, and one for each row."""
    width = max(map(len, rows))
    yield "  ".join([" " * width, *(f"{title:>10}" for title, _, _ in columns)])
    for name, row in rows.items():
        cells = (f"{_cell(row[key], form):>10}" for _, key, form in columns)
        yield "  ".join([f"{name:{width}}", *cells])


def _cell(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
