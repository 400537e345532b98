import lzma
import struct
import sys
import tracemalloc
import zlib

import numpy as np
import py7zr
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ss_tf.deltas import codecs, range_coder

HUFFMAN = "zlib-huffman"


@pytest.fixture(scope="module", params=sorted(codecs.CODECS))
def codec(request):
    """Returns the name of each codec that is installed, those that no bank may have, too."""
    if request.param == "range":
        pytest.importorskip("constriction")
    return request.param


@pytest.fixture(scope="module")
def residuals():
    """Two-sided geometric int8 residuals of about 1.5 bit."""
    rng = np.random.default_rng(0)
    return (rng.geometric(0.6, 200_000) - rng.geometric(0.6, 200_000)).astype(np.int8)


def _order0_bytes(values):
    shares = np.unique(values, return_counts=True)[1] / values.size
    return -np.sum(shares * np.log2(shares)) * values.size / 8


@settings(max_examples=25, deadline=None)
@given(data=st.binary(max_size=3000))
def test_decode_restores_any_bytes(codec, data):
    assert codecs.decode(codec, codecs.encode(codec, data), size=len(data)) == data


def test_decode_restores_residuals_of_several_blocks(codec, residuals):
    data = residuals.tobytes()
    assert codecs.decode(codec, codecs.encode(codec, data), size=len(data)) == data


def test_huffman_is_near_the_entropy_where_matching_is_not(residuals):
    encoded = len(codecs.encode(HUFFMAN, residuals.tobytes()))
    assert _order0_bytes(residuals) < encoded < 1.05 * _order0_bytes(residuals)
    assert encoded < 0.9 * len(zlib.compress(residuals.tobytes()))


def test_7z_streams_are_ordinary_archives(tmp_path):
    path = tmp_path / "delta.7z"
    path.write_bytes(codecs.encode("7z", b"abc" * 50))
    with py7zr.SevenZipFile(path) as archive:
        assert archive.archiveinfo().method_names == ["LZMA2"]
        assert [file.uncompressed for file in archive.list()] == [150]


def test_7z_size_does_not_depend_on_the_time_of_day(monkeypatch, residuals):
    data = residuals[:1000].tobytes()
    sizes = set()
    for seconds in (0, 1.1e9, 1_700_000_000.123456):
        monkeypatch.setattr("time.time", lambda seconds=seconds: seconds)
        sizes.add(len(codecs.encode("7z", data)))
    assert len(sizes) == 1


def test_unknown_codec_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"'lz4'.*7z, range, raw, zlib-9, zlib-huffman, zstd"):
        codecs.encode("lz4", b"")
    with pytest.raises(ValueError, match=r"'lz4'.*7z, range, raw, zlib-9, zlib-huffman, zstd"):
        codecs.decode("lz4", b"", size=0)


def test_a_codec_that_is_not_installed_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "constriction", None)
    range_coder._constriction.cache_clear()
    for call in (lambda: codecs.encode("range", b""), lambda: codecs.decode("range", b"", size=0)):
        with pytest.raises(ValueError, match="'range' needs the package constriction"):
            call()


@pytest.mark.parametrize("size", [0, 9, 11, 1000])
def test_other_size_than_the_stream_holds_is_refused(codec, size):
    with pytest.raises(ValueError, match=rf"\b{size}\b|range stream .* (truncated|damaged)"):
        codecs.decode(codec, codecs.encode(codec, b"0123456789"), size=size)


def test_negative_size_is_refused():
    with pytest.raises(ValueError, match="size is -1"):
        codecs.decode(HUFFMAN, codecs.encode(HUFFMAN, b""), size=-1)


def test_bombs_are_refused_before_they_take_memory(codec):
    bomb = codecs.encode(codec, bytes(3_000_000))
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"\b1000\b"):
        codecs.decode(codec, bomb, size=1000)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 2_000_000


def test_every_truncation_is_refused(codec):
    encoded = codecs.encode(codec, b"0123456789")
    for length in range(len(encoded)):
        with pytest.raises(ValueError, match=r"truncated|damaged"):
            codecs.decode(codec, encoded[:length], size=10)


def test_bytes_after_a_stream_are_refused(codec):
    encoded = codecs.encode(codec, b"0123456789")
    with pytest.raises(ValueError, match=r"3 bytes follow|damaged"):
        codecs.decode(codec, encoded + b"abc", size=10)


def test_flipped_bytes_are_refused_or_harmless(codec, residuals, refusals_of_flips):
    data = residuals[:300].tobytes()
    encoded = codecs.encode(codec, data)
    if codec == "raw":
        pytest.skip("Without a checksum; an entry as a whole has one.")
    refusals = refusals_of_flips(
        encoded, decode=lambda damaged: codecs.decode(codec, damaged, size=len(data)), data=data
    )
    assert len(refusals) > 0.5 * len(encoded)
    assert not any("\n" in refusal for refusal in refusals)


@settings(max_examples=25, deadline=None)
@given(data=st.binary(max_size=300), size=st.integers(0, 500))
def test_any_bytes_are_decoded_to_that_size_or_refused(codec, data, size):
    refusal = ""
    try:
        assert len(codecs.decode(codec, data, size=size)) == size
    except ValueError as error:
        refusal = str(error)
    assert "\n" not in refusal


@settings(max_examples=30, deadline=None)
@given(
    place=st.integers(0, 1 << 16),
    few=st.binary(min_size=1, max_size=3),
    lengths=st.none() | st.tuples(*[st.integers(0, 2**64 - 1)] * 2),
)
def test_7z_archives_with_forged_headers_and_their_checksums(place, few, lengths):
    data = bytes(range(200))
    archive = codecs.encode("7z", data)
    # The format: 8 bytes of signature, the CRC-32 of what follows, place and size of the header
    # at the end, its CRC-32; 32 bytes in all.
    start, size, _ = struct.unpack_from("<QQI", archive, 12)
    body, header = archive[32 : 32 + start], archive[32 + start :]
    place %= size
    header = header[:place] + few + header[place + len(few) :]
    fixed = struct.pack("<QQI", *(lengths or (start, len(header))), zlib.crc32(header))
    crc = struct.pack("<I", zlib.crc32(fixed))
    refusal = ""
    try:
        assert codecs.decode("7z", archive[:8] + crc + fixed + body + header, size=200) == data
    except ValueError as error:
        refusal = str(error)
    assert "\n" not in refusal


@settings(max_examples=25, deadline=None)
@given(data=st.binary(max_size=300), bounds=st.lists(st.integers(0, 300)))
def test_bounds_are_not_needed_to_decode(codec, data, bounds):
    bounds = sorted(min(bound, len(data)) for bound in bounds)
    encoded = codecs.encode(codec, data, bounds=bounds)
    assert codecs.decode(codec, encoded, size=len(data)) == data


@pytest.mark.parametrize("name", codecs.TF_DECODABLE)
def test_what_tensorflow_decodes_is_ordinary_zlib(name, residuals):
    bounds = [1000, 70_000]
    encoded = codecs.encode(name, residuals.tobytes(), bounds=bounds)
    assert zlib.decompress(encoded) == residuals.tobytes()


def test_huffman_takes_a_bit_or_more_for_every_symbol():
    # So a stream without matches is at least an eighth of its source, whatever repeats in there.
    data = b"the same words, " * 1000
    assert len(codecs.encode(HUFFMAN, data)) > len(data) / 8 > 10 * len(lzma.compress(data))
