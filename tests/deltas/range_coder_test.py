import re
import struct
import sys
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ss_tf.deltas import range_coder


@pytest.fixture(scope="module")
def constriction():
    return pytest.importorskip("constriction")


_needs_constriction = pytest.mark.usefixtures("constriction")


def _residuals(size, spread):
    return np.rint(np.random.default_rng(0).laplace(0, spread, size)).astype(np.int8)


def _order0_bytes(values):
    shares = np.unique(values, return_counts=True)[1] / values.size
    return -np.sum(shares * np.log2(shares)) * values.size / 8


@_needs_constriction
@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=2000), st.lists(st.integers(0, 2000), max_size=4))
def test_decode_restores_any_bytes_whatever_the_bounds(data, bounds):
    bounds = sorted(min(bound, len(data)) for bound in bounds)
    assert range_coder.decode(range_coder.encode(data, bounds), len(data)) == data


@_needs_constriction
@pytest.mark.parametrize("spread", [0.05, 0.2, 0.5, 3, 30])
def test_streams_are_at_the_entropy(spread):
    values = _residuals(100_000, spread)
    encoded = range_coder.encode(values.tobytes())
    assert range_coder.decode(encoded, values.size) == values.tobytes()
    # Of 8 + 5 bytes and 2 per symbol, 4 more for the last word, and 0.001 bits per value.
    overhead = 17 + 2 * np.unique(values).size + 100_000 * 0.001 / 8
    assert len(encoded) < _order0_bytes(values) + overhead


@_needs_constriction
def test_new_tables_pay_where_the_spread_changes():
    values = np.concatenate([_residuals(20_000, 0.2), _residuals(20_000, 4)])
    entropy = _order0_bytes(values[:20_000]) + _order0_bytes(values[20_000:])
    encoded = range_coder.encode(values.tobytes(), [20_000])
    assert len(encoded) < 1.02 * entropy < 0.95 * _order0_bytes(values)


@_needs_constriction
def test_streams_have_the_documented_layout():
    data = b"aaaabbca" * 3
    encoded = range_coder.encode(data)
    # Shares of 15, 6 and 3 in 24: 8 log2(15 / 6) = 10.6 and 8 log2(15 / 3) = 18.6.
    assert encoded[:19] == struct.pack(
        "<IIIB3s3s", zlib.crc32(data), 1, 24, 2, b"abc", b"\0\x0b\x13"
    )
    assert len(encoded) == 19 + 4 * 1


@_needs_constriction
def test_single_symbols_and_no_bytes_take_no_words():
    expected = struct.pack("<IIIBBB", zlib.crc32(b"zzz"), 0, 3, 0, ord("z"), 0)
    assert range_coder.encode(b"zzz") == expected
    assert range_coder.encode(b"") == struct.pack("<II", 0, 0)


@_needs_constriction
def test_frozen_streams_are_read():
    # What the encoder of version 1 of the bank made; entries are on disks.
    stream = bytes.fromhex(
        "d888d4b3020000000f0000000a206163646567686e6f7274050d0d0d000d0d0d0d050da4c5a5f9918be436"
    )
    assert range_coder.decode(stream, 15) == b"the range coder"


@_needs_constriction
def test_damage_is_refused_or_harmless(refusals_of_flips):
    data = _residuals(300, 2).tobytes()
    encoded = range_coder.encode(data)
    refusals = refusals_of_flips(
        encoded, decode=lambda damaged: range_coder.decode(damaged, len(data)), data=data
    )
    # All but some of the last word matters.
    assert len(refusals) >= len(encoded) - 4
    assert all(re.fullmatch(".*(damaged|truncated).*", refusal) for refusal in refusals)


@_needs_constriction
def test_every_truncation_and_addition_is_refused():
    encoded = range_coder.encode(b"0123456789")
    for length in range(len(encoded)):
        with pytest.raises(ValueError, match=f"stream of {length} bytes is truncated"):
            range_coder.decode(encoded[:length], 10)
    with pytest.raises(ValueError, match=f"damaged, expected {len(encoded)}"):
        range_coder.decode(encoded + b"x", 10)


@_needs_constriction
@pytest.mark.parametrize("length", [0, 11, 2**32 - 1])
def test_blocks_of_no_or_too_many_bytes_are_refused(length):
    stream = struct.pack("<IIIBBB", 0, 0, length, 0, 7, 0)
    with pytest.raises(ValueError, match=f"a block of {length} bytes in 10"):
        range_coder.decode(stream, 10)


def test_missing_package_is_told_with_what_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "constriction", None)
    range_coder._constriction.cache_clear()
    with pytest.raises(ValueError, match=r"'range' needs .*constriction.*ss_tf\[range\]"):
        range_coder.encode(b"abc")
    with pytest.raises(ValueError, match=r"constriction, which is not installed"):
        range_coder.decode(b"abc", 3)
