"""Pictures for people: contact sheets and the overview figure."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_GAP = 2
_PAPER, _GROUND, _TEXT = 255, 225, 0


def grid(images: np.ndarray, names: Sequence[str], *, zoom: int, text_size: int) -> Image.Image:
    """Arranges images in rows with a name at the left, dark ink on white.

    Args:
      images: uint8 `[rows, columns, height, width]`, ink 255.
      names: one name for each row.
      zoom: whole factor of enlargement.
      text_size: size of the names in pixels.

    Raises:
      ValueError: if there are not as many names as rows.
    """
    rows, columns, height, width = images.shape
    if len(names) != rows:
        raise ValueError(f"names: got {len(names)}, expected {rows}, one for each row")
    font = ImageFont.load_default(text_size)
    left = 3 * _GAP + max(int(font.getlength(name)) for name in names)
    cell = (zoom * height + _GAP, zoom * width + _GAP)
    sheet = Image.new("L", (left + columns * cell[1], rows * cell[0] + _GAP), _GROUND)
    pen = ImageDraw.Draw(sheet)
    for row, name in enumerate(names):
        top = _GAP + row * cell[0]
        pen.text((_GAP, top + cell[0] / 2), name, fill=_TEXT, font=font, anchor="lm")
        for column in range(columns):
            picture = Image.fromarray(_PAPER - images[row, column])
            picture = picture.resize((zoom * width, zoom * height), Image.Resampling.NEAREST)
            sheet.paste(picture, (left + column * cell[1], top))
    return sheet


def write_contact_sheets(
    folder: pathlib.Path, images: np.ndarray, labels: Sequence[str], *, columns: int = 24
) -> None:
    """Writes one PNG for each script, a row for each typeface.

    Args:
      folder: where to write; created if need be.
      images: uint8 `[labels, images, height, width]`.
      labels: `script/typeface`, grouped by script.
      columns: number of images of each typeface to show.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for script in dict.fromkeys(label.partition("/")[0] for label in labels):
        rows = [i for i, label in enumerate(labels) if label.startswith(f"{script}/")]
        names = [labels[row].partition("/")[2] for row in rows]
        sheet = grid(images[rows, :columns], names, zoom=1, text_size=12)
        sheet.save(folder / f"{script}.png", optimize=True)


def write_overview(
    path: pathlib.Path, images: np.ndarray, labels: Sequence[str], *, columns: int = 16
) -> None:
    """Writes one PNG with a row for each script and `columns` typefaces of it.

    Scripts with fewer typefaces show further images of the same ones.
    """
    rows = []
    scripts = list(dict.fromkeys(label.partition("/")[0] for label in labels))
    for script in scripts:
        members = [i for i, label in enumerate(labels) if label.startswith(f"{script}/")]
        # Evenly spread, so that a long list is not shown by its first letters only.
        chosen = [members[column * len(members) // columns] for column in range(columns)]
        rows.append(np.stack([images[label, column] for column, label in enumerate(chosen)]))
    path.parent.mkdir(parents=True, exist_ok=True)
    grid(np.stack(rows), scripts, zoom=2, text_size=18).save(path, optimize=True)
