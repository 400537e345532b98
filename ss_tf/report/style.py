"""How figures look: one table of systems for all of them, colours, fonts, and files on disk.

Colours are those of Okabe and Ito (https://jfly.uni-koeln.de/color), which the colour-blind tell
apart, and no figure sets red against green. Wherever a colour tells something, so does a marker, a
hatch or a label, for readers of grey prints.
"""

from __future__ import annotations

import dataclasses
import functools
import io
import pathlib
from collections.abc import Callable
from typing import ParamSpec

import matplotlib
from matplotlib import colors
from matplotlib.figure import Figure

from ss_tf import files

ORANGE, SKY, BLUE, VERMILLION, PURPLE = "#E69F00", "#56B4E9", "#0072B2", "#D55E00", "#CC79A7"
GREY, DARK, BAND = "#7A7A7A", "#222222", "#F5F5F5"
# Weights below and above zero.
DIVERGING = colors.LinearSegmentedColormap.from_list("blue_orange", [BLUE, "#FFFFFF", VERMILLION])

# Inches: a figure as wide as the text of an A4 or letter page.
PAGE_WIDTH = 7.0
_DOTS_PER_INCH = 200
# Dots across and down that no PNG exceeds: one of a hundred superclasses would have 30 million.
_MOST_DOTS = 4000
SUFFIXES = (".png", ".svg")
_LONGEST_NAME = 22

# No text is smaller than 8 points at full width.
_SETTINGS = {
    "axes.axisbelow": True,
    "axes.edgecolor": GREY,
    "axes.labelcolor": DARK,
    "axes.labelsize": 9,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "figure.constrained_layout.use": True,
    "figure.titlesize": 10,
    "figure.titleweight": "bold",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "hatch.linewidth": 0.6,
    "legend.fontsize": 8,
    "legend.frameon": False,
    # Identifiers inside a file follow from its content alone.
    "svg.hashsalt": "ss_tf",
    # Letters become shapes: a file looks the same where the font is missing.
    "svg.fonttype": "path",
    "text.color": DARK,
    # Names of classes may hold dollars, which are no formula.
    "text.parse_math": False,
    "xtick.color": GREY,
    "xtick.labelcolor": DARK,
    "xtick.labelsize": 8,
    "ytick.color": GREY,
    "ytick.labelcolor": DARK,
    "ytick.labelsize": 8,
}


@dataclasses.dataclass(frozen=True)
class System:
    """How a system looks.

    Attributes:
      label: its name for people.
      color: `#RRGGBB`.
      marker: of matplotlib.
      hatch: of matplotlib; "" for a plain area.
    """

    label: str
    color: str
    marker: str
    hatch: str


# In the order of every figure and table: flat networks in warm colours, two-stage in cold ones,
# and bounds, which nobody can run, in grey.
SYSTEMS = {
    "flat": System("flat", VERMILLION, "o", ""),
    "flat_int8": System("flat, int8", "#8C3B00", "X", "xx"),
    "flat_equal_compute": System("flat, equal compute", ORANGE, "s", "//"),
    "vanilla": System("vanilla", SKY, "^", ".."),
    "hard": System("hard (efficient)", BLUE, "D", ""),
    "soft": System("soft", PURPLE, "v", "\\\\"),
    "oracle": System("oracle", GREY, "P", "++"),
    "oracle_vanilla": System("oracle (vanilla)", "#ABABAB", "p", "oo"),
}
# Those of the paper's figures, and the rivals it does not have. The others are variants of these.
SHOWN = ("flat", "flat_equal_compute", "vanilla", "hard", "soft", "oracle")

_Arguments = ParamSpec("_Arguments")


def drawing(draw: Callable[_Arguments, Figure]) -> Callable[_Arguments, Figure]:
    """Gives what a function draws the look of this module, and leaves other figures alone."""

    @functools.wraps(draw)
    def drawn(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> Figure:
        with matplotlib.rc_context(_SETTINGS):
            return draw(*args, **kwargs)

    return drawn


def save(figure: Figure, path: pathlib.Path) -> list[pathlib.Path]:
    """Writes a figure as PNG and as SVG; equal figures give equal bytes.

    A PNG has 200 dots per inch, or fewer if it were larger than 4,000 dots else.

    Args:
      figure: what a function of this room has drawn. Its layout is fixed by this.
      path: where to, without a suffix.

    Returns:
      The files, each of which appears whole or not at all: PNG, SVG.
    """
    # Without the date, which would differ every time.
    metadata = {".png": {}, ".svg": {"Date": None}}
    paths = [path.with_name(path.name + suffix) for suffix in SUFFIXES]
    with matplotlib.rc_context(_SETTINGS):
        # Places are found once for both files, which takes longer than to draw them.
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        dots_per_inch = min(_DOTS_PER_INCH, _MOST_DOTS / max(figure.get_size_inches()))
        for suffix, file in zip(SUFFIXES, paths, strict=True):
            buffer = io.BytesIO()
            figure.savefig(buffer, format=suffix[1:], dpi=dots_per_inch, metadata=metadata[suffix])
            files.write_atomically(file, buffer.getvalue())
    return paths


def short(name: str, longest: int = _LONGEST_NAME) -> str:
    """Returns a name that fits beside an axis: of a long one, its beginning and its end."""
    if len(name) <= longest:
        return name
    tail = (longest - 1) // 2
    return f"{name[: longest - 1 - tail].rstrip()}…{name[len(name) - tail :].lstrip()}"


def text_color(background: str) -> str:
    """Returns black or white, whichever is easier to read on a colour (WCAG's contrast)."""
    linear = [
        channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
        for channel in colors.to_rgb(background)
    ]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#000000" if (luminance + 0.05) ** 2 > 1.05 * 0.05 else "#FFFFFF"
