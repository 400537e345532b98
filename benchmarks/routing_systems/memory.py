"""Memory of this process, as Linux counts it."""

from __future__ import annotations

import pathlib
import re

_STATUS, _CLEAR = pathlib.Path("/proc/self/status"), pathlib.Path("/proc/self/clear_refs")


def resident_bytes() -> int:
    """Returns what is in memory now."""
    return _field("VmRSS")


def anonymous_bytes() -> int:
    """Returns what is in memory now and is not of files, whose pages can be read again."""
    return _field("RssAnon")


def peak_bytes() -> int:
    """Returns the most that was, since the process began or `reset_peak`."""
    # Not ru_maxrss, which begins with the peak of the parent.
    return _field("VmHWM")


def reset_peak() -> None:
    """Makes the peak what is in memory now."""
    _CLEAR.write_text("5")


def _field(name: str) -> int:
    kib = re.search(rf"^{name}:\s+(\d+) kB", _STATUS.read_text(), re.MULTILINE)
    return 1024 * int(kib.group(1))
