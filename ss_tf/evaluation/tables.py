"""Tables as Markdown and as plain text, and the numbers in their cells.

The first column is text, the others are numbers. What is text already, such as "not evaluated", is
shown as it is.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a Markdown table; numbers are aligned to the right.

    Raises:
      ValueError: if a row is longer or shorter than the header.
    """
    _check(header, rows)
    rule = ["---"] + ["---:"] * (len(header) - 1)
    lines = [header, rule, *rows]
    return "\n".join("| " + " | ".join(_escape(cell) for cell in line) + " |" for line in lines)


def text(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a table for a terminal, columns padded to one width, with a rule below the header.

    Raises:
      ValueError: if a row is longer or shorter than the header.
    """
    _check(header, rows)
    widths = [
        max(_width(line[column]) for line in [header, *rows]) for column in range(len(header))
    ]
    rule = ["-" * width for width in widths]
    return "\n".join(_padded(line, widths) for line in [header, rule, *rows])


def percent(share: float | str) -> str:
    """Shows a share in [0, 1] as percent, without the sign."""
    return share if isinstance(share, str) else f"{100 * share:.2f}"


def gain(percentage: float | str) -> str:
    """Shows a difference in percent or in points, with + or -."""
    return percentage if isinstance(percentage, str) else f"{percentage:+.2f}"


def passes(count: float | str) -> str:
    """Shows passes over the training images."""
    return count if isinstance(count, str) else f"{count:,.1f}"


def ratio(value: float | str) -> str:
    """Shows a size ratio."""
    return value if isinstance(value, str) else f"{value:.3f}"


def millions(count: int | str) -> str:
    """Shows a large count."""
    return count if isinstance(count, str) else f"{count / 1e6:,.2f} M"


def file_size(num_bytes: int | str) -> str:
    """Shows bytes in kB or MB: 1,000 and 1,000,000 bytes."""
    if isinstance(num_bytes, str):
        return num_bytes
    return f"{num_bytes / 1e6:,.2f} MB" if num_bytes >= 1e6 else f"{num_bytes / 1e3:,.1f} kB"


def _padded(line: Sequence[str], widths: Sequence[int]) -> str:
    """Returns one line of a text table."""
    fill = [" " * (width - _width(cell)) for cell, width in zip(line, widths, strict=True)]
    cells = [line[0] + fill[0], *(f + cell for f, cell in zip(fill[1:], line[1:], strict=True))]
    return "  ".join(cells).rstrip()


def _width(cell: str) -> int:
    """Returns how many columns of a terminal a text takes: wide letters take two."""
    return sum(
        0 if unicodedata.combining(letter) else 1 + (unicodedata.east_asian_width(letter) in "WF")
        for letter in cell
    )


def _escape(cell: str) -> str:
    """Keeps a cell from ending early or running over a line: folder names may hold anything."""
    return cell.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")


def _check(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Raises ValueError unless all rows have the header's length."""
    for row in rows:
        if len(row) != len(header):
            raise ValueError(f"Row {list(row)} has {len(row)} cells, expected {len(header)}.")
