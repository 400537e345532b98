"""Lossless compression by name. A codec turns bytes into fewer bytes, and back exactly."""

from __future__ import annotations

import dataclasses
import io
import lzma
import struct
import zlib
from collections.abc import Callable, Sequence

import numpy as np
import py7zr
import py7zr.exceptions
import py7zr.io
import zstandard
from isal import isal_zlib

from ss_tf.deltas import huffman, range_coder


@dataclasses.dataclass(frozen=True)
class Codec:
    """A pair of inverse functions.

    Attributes:
      encode: (bytes, bounds) -> compressed bytes.
      decode: (compressed bytes, size) -> at most `size` bytes; raises ValueError if the stream is
        damaged or holds more, before it allocates more.
    """

    encode: Callable[[bytes, Sequence[int]], bytes]
    decode: Callable[[bytes, int], bytes]


def encode(name: str, data: bytes, *, bounds: Sequence[int] = ()) -> bytes:
    """Compresses `data` with the codec `name`.

    Args:
      name: a key of `CODECS`.
      data: any bytes.
      bounds: positions in `data` where its statistics may change, ascending. Codecs that have
        tables may begin a new one there; it is not needed to decode.

    Raises:
      ValueError: if there is no such codec, or it is not installed.
    """
    return _codec(name).encode(data, bounds)


def decode(name: str, data: bytes, *, size: int) -> bytes:
    """Restores what `encode` compressed.

    Args:
      name: the codec that `encode` was called with.
      data: what it returned.
      size: length of the original, in bytes. No more than that is ever allocated for the result.

    Raises:
      ValueError: if there is no such codec, or it is not installed, if the stream is damaged or
        truncated, if bytes follow it, or if it does not hold exactly `size` bytes.
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


def _encode_raw(data: bytes, _: Sequence[int]) -> bytes:
    return data


def _decode_raw(data: bytes, size: int) -> bytes:
    if len(data) > size:
        raise ValueError(f"{len(data) - size} bytes follow the expected {size}.")
    if len(data) < size:
        raise ValueError(f"The raw stream of {len(data)} bytes is truncated, expected {size}.")
    return data


def _encode_huffman(data: bytes, bounds: Sequence[int]) -> bytes:
    # Residuals are nearly independent draws: looking for repeats costs time and, on 11.17 M of
    # them at 1.5 bit, 24 % more bytes.
    return huffman.compress(np.frombuffer(data, np.uint8), bounds)


def _encode_zlib(data: bytes, _: Sequence[int]) -> bytes:
    return zlib.compress(data, 9)


def _decode_zlib(data: bytes, size: int) -> bytes:
    # ISA-L undoes Huffman codes in less than half the time of zlib, which is most of the time that
    # a delta takes; and checks as much.
    decompressor = isal_zlib.decompressobj()
    try:
        # One byte more than allowed: a limit of 0 would mean none, and the end of the stream is
        # only seen while there is still room.
        decoded = decompressor.decompress(data, size + 1)
    except isal_zlib.error as error:
        raise ValueError(f"The zlib stream is damaged: {error}.") from error
    if len(decoded) > size:
        raise ValueError(f"The zlib stream holds more than the expected {size} bytes.")
    if not decompressor.eof:
        raise ValueError(f"The zlib stream of {len(data)} bytes is truncated.")
    if decompressor.unused_data:
        raise ValueError(f"{len(decompressor.unused_data)} bytes follow the zlib stream.")
    return decoded


def _encode_zstd(data: bytes, _: Sequence[int]) -> bytes:
    return zstandard.ZstdCompressor(level=19, write_checksum=True).compress(data)


def _decode_zstd(data: bytes, size: int) -> bytes:
    try:
        # A single allocation of the size that the stream tells, hence this look at it first.
        given = zstandard.frame_content_size(data)
        if given != size:
            raise ValueError(
                f"The zstd stream holds {given} bytes, expected {size}: it is another, or damaged."
            )
        return zstandard.ZstdDecompressor().decompress(data, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise ValueError(f"The zstd stream is damaged or truncated: {error}.") from error


def _encode_7z(data: bytes, _: Sequence[int]) -> bytes:
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
            # The fixed part of the header has 32 bytes, and tells where the rest is: at the end.
            end = 32 + archive.sig_header.nextheaderofs + archive.sig_header.nextheadersize
            if end != len(data):
                raise ValueError(f"{len(data) - end} bytes follow the 7z archive.")
            factory = py7zr.io.BytesIOFactory(limit=size + 1)
            archive.extractall(factory=factory)
    except _ERRORS_OF_7Z as error:
        raise ValueError(f"The 7z archive is damaged: {error!r}.") from error
    (file,) = factory.products.values()
    return file.read()


# What py7zr 1.1 was seen to raise on archives with flipped or missing bytes, and on those whose
# header was changed along with its checksums.
_ERRORS_OF_7Z = (
    py7zr.exceptions.ArchiveError,
    lzma.LZMAError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    OverflowError,
    TypeError,
    struct.error,
)

CODECS = {
    "raw": Codec(_encode_raw, _decode_raw),
    "zlib-huffman": Codec(_encode_huffman, _decode_zlib),
    "zlib-9": Codec(_encode_zlib, _decode_zlib),
    "zstd": Codec(_encode_zstd, _decode_zstd),
    "7z": Codec(_encode_7z, _decode_7z),
    "range": Codec(range_coder.encode, range_coder.decode),
}

# Those whose streams `tf.io.decode_compressed(stream, "ZLIB")` reads.
TF_DECODABLE = ("zlib-huffman", "zlib-9")
