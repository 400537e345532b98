import lzma
import tracemalloc
import zlib

import numpy as np
import py7zr
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ss_tf.deltas import codecs

NAMES = sorted(codecs.CODECS)
HUFFMAN = "zlib-huffman"


@pytest.fixture(scope="module")
def residuals():
    """Two-sided geometric int8 residuals of about 1.5 bit."""
    rng = np.random.default_rng(0)
    return (rng.geometric(0.6, 200_000) - rng.geometric(0.6, 200_000)).astype(np.int8)


def _order0_bytes(values):
    shares = np.unique(values, return_counts=True)[1] / values.size
    return -np.sum(shares * np.log2(shares)) * values.size / 8


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25, deadline=None)
@given(data=st.binary(max_size=3000))
def test_decode_restores_any_bytes(name, data):
    assert codecs.decode(name, codecs.encode(name, data), size=len(data)) == data


@pytest.mark.parametrize("name", NAMES)
def test_decode_restores_residuals_of_several_blocks(name, residuals):
    data = residuals.tobytes()
    assert codecs.decode(name, codecs.encode(name, data), size=len(data)) == data


def test_huffman_streams_are_ordinary_zlib(residuals):
    assert zlib.decompress(codecs.encode(HUFFMAN, residuals.tobytes())) == residuals.tobytes()


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
    with pytest.raises(ValueError, match=r"'zstd'.*7z, zlib-huffman"):
        codecs.encode("zstd", b"")
    with pytest.raises(ValueError, match=r"'zstd'.*7z, zlib-huffman"):
        codecs.decode("zstd", b"", size=0)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [0, 9, 11, 1000])
def test_other_size_than_the_stream_holds_is_refused(name, size):
    with pytest.raises(ValueError, match=f"{size}"):
        codecs.decode(name, codecs.encode(name, b"0123456789"), size=size)


def test_negative_size_is_refused():
    with pytest.raises(ValueError, match="size is -1"):
        codecs.decode(HUFFMAN, codecs.encode(HUFFMAN, b""), size=-1)


@pytest.mark.parametrize(
    "bomb", [zlib.compress(bytes(30_000_000)), codecs.encode("7z", bytes(30_000_000))]
)
def test_bombs_are_refused_before_they_take_memory(bomb):
    name = "7z" if bomb.startswith(b"7z") else HUFFMAN
    tracemalloc.start()
    with pytest.raises(ValueError, match="1000"):
        codecs.decode(name, bomb, size=1000)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 2_000_000


@pytest.mark.parametrize("name", NAMES)
def test_every_truncation_is_refused(name):
    encoded = codecs.encode(name, b"0123456789")
    for length in range(len(encoded)):
        with pytest.raises(ValueError, match=r"truncated|damaged"):
            codecs.decode(name, encoded[:length], size=10)


def test_bytes_after_a_huffman_stream_are_refused():
    encoded = codecs.encode(HUFFMAN, b"0123456789")
    with pytest.raises(ValueError, match="3 bytes follow"):
        codecs.decode(HUFFMAN, encoded + b"abc", size=10)


@pytest.mark.parametrize("name", NAMES)
def test_flipped_bytes_are_refused_or_harmless(name, residuals):
    data = residuals[:300].tobytes()
    encoded = codecs.encode(name, data)
    rng = np.random.default_rng(0)
    refusals = []
    for position in range(len(encoded)):
        damaged = bytearray(encoded)
        damaged[position] ^= int(rng.integers(1, 256))
        try:
            assert codecs.decode(name, bytes(damaged), size=len(data)) == data
        except ValueError as error:
            refusals.append(str(error))
    assert len(refusals) > 0.5 * len(encoded)
    assert not any("\n" in refusal for refusal in refusals)


def test_huffman_takes_a_bit_or_more_for_every_symbol():
    # So a stream without matches is at least an eighth of its source, whatever repeats in there.
    data = b"the same words, " * 1000
    assert len(codecs.encode(HUFFMAN, data)) > len(data) / 8 > 10 * len(lzma.compress(data))
