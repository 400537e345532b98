"""What was measured, as tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from routing_systems.measure import FLAT, VANILLA

_MIB = 2**20


def text(title: str, found: Mapping) -> str:
    """Returns all tables of a case of `cases`."""
    blocks = [
        f"== {title}",
        _memory(found["memory"]),
        _speed(found["speed"]),
        _profile(found["profile"]),
        _growth(found.get("growth", ())),
        "restoring a sub network {restore_ms:.2f} ms, a forward pass of one image "
        "{forward_ms:.2f} ms".format(**found["switch"]),
        "{different} of {images} images get different labels from efficient and vanilla, and in "
        "{scores_differ} of {calls} calls any bit of the scores differs".format(
            **found["identical"]
        ),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _memory(memory: Mapping[str, Mapping]) -> str:
    rows = {}
    for name, facts in memory.items():
        serving = {f"batch {n}": peak for n, peak in facts["serving_peak_bytes"].items()}
        columns = {**facts["weight_bytes"], "peak": facts["peak_bytes"], **serving}
        rows[name] = {column: f"{value / _MIB:.1f}" for column, value in columns.items()}
    return _table("MiB: weights, peak of loading and single images, then of serving", rows)


def _speed(speed: Sequence[Mapping]) -> str:
    rows = {}
    for row in speed:
        for name, value in row["ms_per_image"].items():
            ratios = {
                f"vs {peer}": f"{row['speed_over'][peer][name]:.3f}" for peer in (FLAT, VANILLA)
            }
            rows[f"{row['mix']} {row['batch']}: {name}"] = {
                "ms/image": f"{value:.2f}",
                "images/s": f"{row['images_per_s'][name]:.1f}",
                **ratios,
            }
    return _table("speed by mix and batch size", rows)


def _profile(profile: Sequence[Mapping]) -> str:
    rows = {
        f"batch {row['batch']}: {row['system']}": {
            "opened": str(row["opened"]),
            **{part: f"{value:.1f}" for part, value in row["ms"].items()},
        }
        for row in profile
    }
    return _table("where the ms of a call go", rows)


def _growth(growth: Sequence[Mapping]) -> str:
    rows = {
        f"{row['superclasses']} superclasses": {
            **{kind: f"{value / _MIB:.1f}" for kind, value in row["weight_bytes"].items()},
            "peak": f"{row['peak_bytes'] / _MIB:.1f}",
            "batch 1": f"{row['serving_peak_bytes']['1'] / _MIB:.1f}",
            "ms/image": f"{row['ms_per_image']:.2f}",
        }
        for row in growth
    }
    return _table("efficient: MiB as above, and time of the largest batch", rows) if rows else ""


def _table(title: str, rows: Mapping[str, Mapping[str, str]]) -> str:
    columns = list(next(iter(rows.values())))
    first = max(map(len, rows))
    widths = [max(9, len(column) + 1) for column in columns]
    lines = [title]
    for name, cells in {"": dict.fromkeys(columns), **rows}.items():
        shown = (column if cells[column] is None else cells[column] for column in columns)
        padded = (f"{cell:>{width}}" for cell, width in zip(shown, widths, strict=True))
        lines.append(f"{name:<{first}} {' '.join(padded)}")
    return "\n".join(lines)
