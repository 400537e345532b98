"""Bitmap fonts of the X Window System (PCF files), for scripts with few outline fonts.

Debian has 24 clearly different outline families for Thai and the data set needs 27.
Pillow opens PCF files but cannot look up their non-Unicode characters, hence this
reader. Layout of the format: tables of little- or big-endian integers behind a table
of contents, as written by the X11 tool `bdftopcf`.
"""

from __future__ import annotations

import gzip
import struct

import numpy as np
from PIL import Image

_METRICS, _BITMAPS, _ENCODINGS = 1 << 2, 1 << 3, 1 << 5
_NO_GLYPH = 0xFFFF
# In TIS-620 the Thai block lies at a fixed distance from Unicode.
_TIS620_DISTANCE = 0x0E01 - 0xA1


class BitmapFont:
    """Thai glyphs of one TIS-620 PCF font, scaled like an outline font.

    Attributes:
      size: pixels per em that drawings are scaled to.
      characters: the Thai characters the font holds.
    """

    def __init__(self, path: str, *, size: int):
        """Reads `path` (gzip-compressed PCF).

        Raises:
          ValueError: if the file is not a PCF font.
        """
        with gzip.open(path) as file:
            data = file.read()
        if data[:4] != b"\x01fcp":
            raise ValueError(f"{path}: got a file starting {data[:4]!r}, expected a PCF font")
        self.size = size
        self._rows = _read_glyphs(data)
        self._height = max(glyph.shape[0] for glyph in self._rows.values())
        self.characters = "".join(sorted(self._rows))

    def draw(self, text: str) -> np.ndarray:
        """Returns `text` as uint8 `[height, width]`, ink 255; unknown characters are blank."""
        blank = np.zeros((self._height, 1), np.uint8)
        line = np.concatenate([blank, *(self._rows.get(c, blank) for c in text), blank], axis=1)
        scale = self.size / self._height
        shape = (max(1, round(line.shape[1] * scale)), max(1, round(line.shape[0] * scale)))
        return np.asarray(Image.fromarray(line).resize(shape, Image.Resampling.BICUBIC))


def _read_glyphs(data: bytes) -> dict[str, np.ndarray]:
    """Returns Thai character -> uint8 `[cell_height, width]`, all on one baseline."""
    tables = {}
    for entry in range(struct.unpack_from("<I", data, 4)[0]):
        kind, form, _, offset = struct.unpack_from("<4I", data, 8 + 16 * entry)
        tables[kind] = (form, offset + 4, ">" if form & 4 else "<")
    metrics = _read_metrics(data, *tables[_METRICS])
    bitmaps = _read_bitmaps(data, *tables[_BITMAPS], metrics)
    top = max(ascent for *_, ascent, _ in metrics)
    bottom = max(descent for *_, descent in metrics)
    cells = {}
    for character, index in _read_encoding(data, *tables[_ENCODINGS]).items():
        left, _, advance, ascent, _ = metrics[index]
        glyph, start = bitmaps[index], max(left, 0)
        cell = np.zeros((top + bottom, max(advance, start + glyph.shape[1], 1)), np.uint8)
        cell[top - ascent : top - ascent + glyph.shape[0], start : start + glyph.shape[1]] = glyph
        cells[character] = cell
    return cells


def _read_metrics(data: bytes, form: int, offset: int, order: str) -> list[tuple[int, ...]]:
    """Returns (left, right, advance, ascent, descent) of every glyph, in pixels."""
    if form & 0x100:  # compressed: bytes offset by 128
        count = struct.unpack_from(order + "H", data, offset)[0]
        values = np.frombuffer(data, np.uint8, 5 * count, offset + 2).astype(int) - 128
        return [tuple(row) for row in values.reshape(count, 5).tolist()]
    count = struct.unpack_from(order + "I", data, offset)[0]
    return [
        struct.unpack_from(order + "5h", data, offset + 4 + 12 * glyph) for glyph in range(count)
    ]


def _read_bitmaps(
    data: bytes, form: int, offset: int, order: str, metrics: list[tuple[int, ...]]
) -> list[np.ndarray]:
    """Returns every glyph as uint8 `[ascent + descent, right - left]`, ink 255."""
    count = struct.unpack_from(order + "I", data, offset)[0]
    starts = struct.unpack_from(f"{order}{count}I", data, offset + 4)
    first = offset + 4 + 4 * count + 16
    pad, unit = 1 << (form & 3), 1 << (form >> 4 & 3)
    bitmaps = []
    for start, (left, right, _, ascent, descent) in zip(starts, metrics, strict=True):
        height, width = ascent + descent, right - left
        stride = -(-width // (8 * pad)) * pad
        raw = np.frombuffer(data, np.uint8, height * stride, first + start)
        # Bytes are stored in units; the bits read left to right only when the order of
        # bytes in a unit and of bits in a byte agree.
        if (form & 4 != 0) != (form & 8 != 0):
            raw = raw.reshape(-1, unit)[:, ::-1].reshape(-1)
        bits = np.unpackbits(raw, bitorder="big" if form & 8 else "little")
        bitmaps.append(255 * bits.reshape(height, 8 * stride)[:, :width])
    return bitmaps


def _read_encoding(data: bytes, form: int, offset: int, order: str) -> dict[str, int]:
    """Returns Thai character -> glyph index."""
    del form  # has no variants in this table
    first, last, _, _, _ = struct.unpack_from(order + "5H", data, offset)
    glyphs = struct.unpack_from(f"{order}{last - first + 1}H", data, offset + 10)
    return {
        chr(code + _TIS620_DISTANCE): glyph
        for code, glyph in enumerate(glyphs, start=first)
        if 0xA1 <= code <= 0xFB and glyph != _NO_GLYPH
    }
