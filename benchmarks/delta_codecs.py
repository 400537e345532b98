"""Compares the bank's coding of deltas with other compressors: bytes, and time to restore.

    python benchmarks/delta_codecs.py --json docs/results/delta_codecs.json

Deltas: drawn at random in the shapes of a ResNet-18 of full width (11.2 M weights) from Laplace
distributions whose spread differs between layers and between channels: at about 0.6 bits a weight
in steps of 4, and at 1.5 and 4 bits in steps of 1. With --run_dir, those of a run's bank.

All coders get the same int8 residuals; what each restores is compared with the sub network bit for
bit. Two rows are ours: "ours" is the bank's coding of the residuals, as the peers code them; "bank
file" is a whole entry as it lies on disk, with head, floats and headers, read from there and with
all of its checks. To decode is, for all, to go from the stored bytes to the sub network's kernels:
to decompress, and to add the residuals to the base's kernels.

Encoding is timed once. Decoding is timed in turns, every other one in reverse order, so that what
else the machine does hits all alike. Medians are reported; of speeds, the median of the turns'
ratios. A coder that is slow to encode gets the largest kernel alone; its speed is then a weight's.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import pathlib
import platform
import shlex
import sys

# Without this, a checkout that is not installed would not be found.
sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from delta_coding import cases, peers, synthetic, timing

_PACKAGES = ("ss_tf", "isal", *sorted({peer.package for peer in peers.PEERS} - {None, "bz2"}))


def summarise(tables: dict[str, list[dict[str, object]]]) -> dict[str, object]:
    """Returns the numbers that have goals: of the bank's files, and of the slowest delta."""
    ours, files = (
        [row for table in tables.values() for row in table if row["coder"] == name]
        for name in (timing.OURS, timing.BANK_FILE)
    )
    limit_bytes = sum(row["bytes"] / row["ratio_to_entropy"] for row in files)
    return {
        "bank_over_entropy": sum(row["bytes"] for row in files) / limit_bytes,
        "bank_over_entropy_worst": max(row["ratio_to_entropy"] for row in files),
        "decode_speedup_over_py7zr": min(row["decode_speed_over_py7zr"] for row in ours),
        "read_speedup_over_py7zr": min(row["decode_speed_over_py7zr"] for row in files),
    }


def table_text(rows: list[dict[str, object]]) -> str:
    """Returns a table for people."""
    lines = [
        f"{'':<18} {'bytes':>10} {'of int8':>8} {'of entropy':>10} {'encode s':>9} "
        f"{'decode s':>9} {'vs py7zr':>8}"
    ]
    for row in rows:
        if "bytes" not in row:
            lines.append(f"{row['coder']:<18} {row['note']}")
            continue
        lines.append(
            f"{row['coder']:<18} {row['bytes']:>10,} {row['ratio_to_int8']:>8.4f} "
            f"{row['ratio_to_entropy']:>10.4f} {row['encode_s']:>9.2f} {row['decode_s']:>9.4f} "
            f"{row['decode_speed_over_py7zr']:>7.2f}x  {row['note']}".rstrip()
        )
    return "\n".join(lines)


def facts() -> dict[str, object]:
    """Returns what was run, and where."""
    versions = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return {
        "command": shlex.join(["python", *sys.argv]),
        "versions": versions,
        "cores": len(os.sched_getaffinity(0)),
        "machine": platform.machine(),
    }


def main() -> None:
    """Measures, prints, and writes the file that is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run_dir", type=pathlib.Path, help="run whose bank to take")
    parser.add_argument("--json", type=pathlib.Path, help="file to write the results to")
    parser.add_argument("--turns", type=int, default=5, help="times that decoding is timed")
    arguments = parser.parse_args()
    if arguments.turns < 1:
        parser.error(f"--turns is {arguments.turns}, expected at least 1.")
    try:
        deltas = cases.of_run(arguments.run_dir) if arguments.run_dir else synthetic.draw()
    except ValueError as error:
        parser.error(str(error))
    tables = {}
    for case in deltas:
        tables[case.name] = timing.measure(case, turns=arguments.turns)
        print(f"\n{case.name}\n{table_text(tables[case.name])}\n", flush=True)
    results = summarise(tables)
    print(json.dumps(results, indent=1))
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({**results, "deltas": tables, **facts()}, indent=1)
        arguments.json.write_text(f"{text}\n")


if __name__ == "__main__":
    main()
