"""The PCF reader, checked on a font of one glyph that is written here."""

import gzip
import struct

import numpy as np
import pytest
from typefaces import bitmap_font

_GLYPH = np.array([[1, 0, 1], [0, 1, 0]], np.uint8)


def _write_pcf(path, *, big_endian):
    """Writes a PCF font whose only glyph, KO KAI (TIS-620 0xA1), is `_GLYPH`."""
    order, form = (">", 0x0C) if big_endian else ("<", 0x00)
    bits = np.packbits(_GLYPH, axis=1, bitorder="big" if big_endian else "little")
    # Left, right, advance, ascent, descent, attributes: one column before, one after.
    metrics = struct.pack(order + "I6h", 1, 1, 4, 5, 2, 0, 0)
    bitmaps = struct.pack(order + "II4I", 1, 0, 2, 0, 0, 0) + bits.tobytes()
    encoding = struct.pack(order + "5H2H", 0xA1, 0xA2, 0, 0, 0, 0, 0xFFFF)
    tables = {1 << 2: metrics, 1 << 3: bitmaps, 1 << 5: encoding}
    head, body, offset = struct.pack("<4sI", b"\x01fcp", 3), b"", 8 + 3 * 16
    for kind, content in tables.items():
        data = struct.pack("<I", form) + content
        head += struct.pack("<4I", kind, form, len(data), offset + len(body))
        body += data
    path.write_bytes(gzip.compress(head + body))


@pytest.mark.parametrize("big_endian", [False, True])
def test_glyph_is_read_in_either_byte_order(tmp_path, big_endian):
    path = tmp_path / "font.pcf.gz"
    _write_pcf(path, big_endian=big_endian)
    font = bitmap_font.BitmapFont(str(path), size=2)
    assert font.characters == "\u0e01"
    ink = font.draw("\u0e01")
    # A blank column on both sides of the line and of the glyph's own cell.
    np.testing.assert_array_equal(ink, 255 * np.pad(_GLYPH, ((0, 0), (2, 2))))


def test_unknown_characters_are_blank(tmp_path):
    _write_pcf(tmp_path / "font.pcf.gz", big_endian=False)
    font = bitmap_font.BitmapFont(str(tmp_path / "font.pcf.gz"), size=2)
    assert font.draw("x").max() == 0


def test_another_kind_of_file_is_refused(tmp_path):
    path = tmp_path / "font.pcf.gz"
    path.write_bytes(gzip.compress(b"STARTFONT 2.1"))
    with pytest.raises(ValueError, match=r"font.pcf.gz: got a file starting b'STAR', expected"):
        bitmap_font.BitmapFont(str(path), size=2)
