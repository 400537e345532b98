"""Lossless compression by name. A codec turns bytes into fewer bytes, and back exactly."""

from __future__ import annotations

import dataclasses
import io
import lzma
import zlib
from collections.abc import Callable

import py7zr
import py7zr.exceptions
import py7zr.io


@dataclasses.dataclass(frozen=True)
class Codec:
    """A pair of inverse functions.

    Attributes:
      encode: bytes -> compressed bytes.
      decode: (compressed bytes, size) -> at most `size` bytes; raises ValueError if the stream is
        damaged or holds more, before it allocates more.
    """

    encode: Callable[[bytes], bytes]
    decode: Callable[[bytes, int], bytes]


def encode(name: str, data: bytes) -> bytes:
    """Compresses `data` with the codec `name`.

    Raises:
      ValueError: if there is no such codec.
    """
    return _codec(name).encode(data)


def decode(name: str, data: bytes, *, size: int) -> bytes:
    """Restores what `encode` compressed.

    Args:
      name: the codec that `encode` was called with.
      data: what it returned.
      size: length of the original, in bytes. No more than that is ever allocated for the result.

    Raises:
      ValueError: if there is no such codec, if the stream is damaged or truncated, or if it does
        not hold exactly `size` bytes.
    """
    if size < 0:
        raise ValueError(f"size is {size}, expected at least 0 bytes.")
    decoded = _codec(name).decode(data, size)
    if len(decoded) != size:
        raise ValueError(f"The {name} stream holds {len(decoded)} bytes, expected {size}.")
    return decoded


def _codec(name: str) -> Codec:
    """Returns the codec of that name."""
    if name not in CODECS:
        raise ValueError(f"Unknown codec {name!r}, expected one of {', '.join(sorted(CODECS))}.")
    return CODECS[name]


def _encode_huffman(data: bytes) -> bytes:
    # Residuals are nearly independent draws: looking for repeats costs time and, on 11.17 M of
    # them at 1.5 bit, 24 % more bytes. Memory level 9 gives the fewest Huffman tables, one for
    # every 32 Ki symbols; the compression level has no effect on this strategy.
    compressor = zlib.compressobj(
        level=9, wbits=zlib.MAX_WBITS, memLevel=zlib.DEF_MEM_LEVEL + 1, strategy=zlib.Z_HUFFMAN_ONLY
    )
    return compressor.compress(data) + compressor.flush()


def _decode_huffman(data: bytes, size: int) -> bytes:
    decompressor = zlib.decompressobj()
    try:
        # One byte more than allowed: a limit of 0 would mean none, and the end of the stream is
        # only seen while there is still room.
        decoded = decompressor.decompress(data, size + 1)
    except zlib.error as error:
        raise ValueError(f"The zlib stream is damaged: {error}.") from error
    if len(decoded) > size:
        raise ValueError(f"The zlib stream holds more than the expected {size} bytes.")
    if not decompressor.eof:
        raise ValueError(f"The zlib stream of {len(data)} bytes is truncated.")
    if decompressor.unused_data:
        raise ValueError(f"{len(decompressor.unused_data)} bytes follow the zlib stream.")
    return decoded


def _encode_7z(data: bytes) -> bytes:
    archive_bytes = io.BytesIO()
    # Level 5 of 7-Zip, its default, is preset 6 of LZMA2.
    filters = [{"id": py7zr.FILTER_LZMA2, "preset": lzma.PRESET_DEFAULT}]
    with py7zr.SevenZipFile(archive_bytes, "w", filters=filters) as archive:
        # The header holds the time of day: compressed, its length would differ between runs.
        archive.set_encoded_header_mode(False)
        archive.writef(io.BytesIO(data), "delta")
    return archive_bytes.getvalue()


def _decode_7z(data: bytes, size: int) -> bytes:
    try:
        with py7zr.SevenZipFile(io.BytesIO(data), "r") as archive:
            sizes = [file.uncompressed for file in archive.list()]
            # py7zr produces as much as the header says, hence this look at it first.
            if sizes != [size]:
                raise ValueError(f"The 7z archive holds files of {sizes} bytes, expected [{size}].")
            factory = py7zr.io.BytesIOFactory(limit=size + 1)
            archive.extractall(factory=factory)
    except _ERRORS_OF_7Z as error:
        raise ValueError(f"The 7z archive is damaged: {error!r}.") from error
    (file,) = factory.products.values()
    return file.read()


# What py7zr 1.1 was seen to raise on archives with flipped or missing bytes.
_ERRORS_OF_7Z = (py7zr.exceptions.ArchiveError, lzma.LZMAError)

CODECS = {
    "zlib-huffman": Codec(_encode_huffman, _decode_huffman),
    "7z": Codec(_encode_7z, _decode_7z),
}
