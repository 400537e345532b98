"""What was measured, as text for people."""

from __future__ import annotations

from collections.abc import Mapping

_MIB = 2**20


def text(title: str, found: Mapping) -> str:
    """Returns all that was measured of a bundle."""
    size, memory, speed = found["size"], found["memory"], found["speed"]
    alone = found["speed_of_one_thread"]
    lines = [
        f"== {title}",
        f"bundle {size['bundle_bytes'] / 1e6:.2f} MB, {size['bundle_ratio']:.4f} of "
        f"{size['full_files']} full files",
        *(
            f"  {name}  {count / max(size['files'].values()):.3f} of the base"
            for name, count in size["files"].items()
        ),
        f"switch {speed['switch_ms']:.2f} ms, {speed['switch_over_inference']:.2f} times an "
        f"inference of {speed['inference_ms']:.2f} ms",
        *(f"  {part}: {value:.2f} ms" for part, value in speed["parts_ms"].items()),
        f"with one thread: switch {alone['switch_ms']:.2f} ms, inference "
        f"{alone['inference_ms']:.2f} ms, ratio {alone['switch_over_inference']:.2f}",
        f"first answer {speed['first_answer_ms']:.2f} ms, with the sub network live "
        f"{speed['loaded_answer_ms']:.2f} ms",
        f"peak of memory {memory['peak_rss_ratio']:.3f} of all networks kept, "
        f"{memory['with_imports']:.3f} with imports",
        *(f"  {name}: {_mib(counts)}" for name, counts in memory["of"].items()),
        f"logits are {'' if memory['identical_logits'] else 'NOT '}the same, bit by bit",
    ]
    return "\n".join(lines) + "\n"


def _mib(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count / _MIB:.1f} MiB" for name, count in counts.items())
