import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ss_tf.deltas import huffman, packing, symbols


def _residuals(size, spread, *, step=1, seed=0):
    """Multiples of a step, most of them 0 where the spread is small."""
    drawn = np.rint(np.random.default_rng(seed).laplace(0, spread, size)) * step
    return np.clip(drawn, -127, 127).astype(np.int8)


def _order0_bytes(values):
    shares = np.unique(values, return_counts=True)[1] / values.size
    return -np.sum(shares * np.log2(shares)) * values.size / 8


def _decode(encoded, length):
    sizes = symbols.leaf_sizes(encoded.tree, length)
    assert sizes == [(0, leaf.size) for leaf in encoded.leaves]
    return symbols.decode(encoded.tree, length, iter(encoded.leaves))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 700), st.sampled_from([0.05, 0.2, 0.6, 2, 40]), st.sampled_from([1, 4, 127]))
def test_decode_undoes_encode(size, spread, step):
    values = _residuals(size, spread, step=step, seed=size)
    encoded = packing.encode(values)
    np.testing.assert_array_equal(_decode(encoded, size), values.view(np.uint8), strict=True)


@settings(max_examples=20, deadline=None)
@given(st.binary(max_size=200))
def test_decode_undoes_encode_of_any_bytes(data):
    values = np.frombuffer(data, np.uint8)
    assert _decode(packing.encode(values), values.size).tobytes() == data


@pytest.mark.parametrize("size", [2**17 + 1, 2**18 + 1])
@pytest.mark.parametrize("spread", [0.17, 0.35])
def test_long_sequences_are_restored_near_their_entropy(size, spread):
    values = _residuals(size, spread, step=4)
    encoded = packing.encode(values)
    np.testing.assert_array_equal(_decode(encoded, size), values.view(np.uint8))
    stored = sum(len(huffman.compress(leaf)) for leaf in encoded.leaves)
    # From 2**18 values on, a second packing that saves less than a tenth is left out.
    limit = 1.03 if size < 2**18 else 1.03 / 0.9
    assert stored < limit * _order0_bytes(values)
    # Huffman codes of the values themselves spend a bit at least on each.
    assert stored < 0.9 * len(huffman.compress(values.view("u1")))
    assert encoded.cost == pytest.approx(stored, rel=0.03)


def test_long_sequences_are_packed_with_radices_that_share_bytes_evenly():
    radices = {packing.encode(_residuals(2**18, spread)).tree[0] for spread in (0.1, 0.3, 0.5)}
    assert radices <= {2, 4, 16}


def test_order_of_bytes_is_not_changed_where_nothing_is_gained():
    noise = np.random.default_rng(0).integers(0, 256, 1000, np.uint8)
    encoded = packing.encode(noise)
    assert encoded.tree == 0
    np.testing.assert_array_equal(encoded.leaves, [noise])


def test_equal_bytes_take_none():
    assert packing.encode(np.full(1000, -3, np.int8))[:2] == ([1, [253]], [])


@pytest.mark.parametrize("size", [0, 2, 63])
def test_short_sequences_are_left_alone(size):
    tree, (leaf,), _ = packing.encode(np.arange(size, dtype=np.uint8) % 2)
    assert (tree, leaf.size) == (0, size)


def test_sequences_can_be_left_to_codecs_that_spend_parts_of_bits():
    values = _residuals(5000, 0.2)
    assert packing.encode(values).tree != 0
    tree, (leaf,), _ = packing.encode(values, is_packed=False)
    assert tree == 0
    np.testing.assert_array_equal(leaf, values.view(np.uint8))
    assert packing.encode(values[:0], is_packed=False).tree == 0
    assert packing.encode(np.zeros(9, np.int8), is_packed=False).tree == [1, [0]]


def test_packed_zeros_are_packed_again():
    values = np.zeros(50_000, np.int8)
    values[::1000] = 1
    encoded = packing.encode(values)
    assert isinstance(encoded.tree[2], list)
    # log2(50000 choose 50) / 8 = 71 bytes, whatever the order.
    assert sum(len(zlib.compress(leaf)) for leaf in encoded.leaves) < 150


def test_pack_agrees_with_hand_arithmetic():
    # 45 = 0 * 81 + 1 * 27 + 2 * 9 + 0 * 3 + 0, and 81 = 1 * 81: filled up with zeros.
    alphabet, packed, escapes = packing.pack(np.array([0, 1, 255, 0, 0, 1], np.uint8), 3)
    assert (alphabet, packed.tolist(), escapes.tolist()) == ([0, 1, 255], [45, 81], [])
    # 18 = 0b00010010: a mask and what it hides.
    alphabet, packed, escapes = packing.pack(np.array([0, 0, 0, 9, 0, 0, 1, 0], np.uint8), 2)
    assert (alphabet, packed.tolist(), escapes.tolist()) == ([0], [18], [9, 1])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-9, 9), min_size=1, max_size=80), st.integers(2, 16))
def test_alphabet_is_the_most_frequent_values_by_magnitude(values, radix):
    values = np.array(values, np.int8)
    alphabet, packed, escapes = packing.pack(values.view(np.uint8), radix)
    kinds = np.unique(values).size
    assert len(alphabet) == (kinds if kinds <= radix else radix - 1)
    signed = [value - 256 * (value > 127) for value in alphabet]
    assert signed == sorted(signed, key=lambda value: (abs(value), value < 0))
    counts = {value: np.count_nonzero(values == value) for value in values.tolist()}
    others = [count for value, count in counts.items() if value not in signed]
    assert min(counts[value] for value in signed) >= max(others, default=0)
    assert escapes.size == sum(others)
    assert packed.size == -(-values.size // symbols.DIGITS[radix])
