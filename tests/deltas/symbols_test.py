import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ss_tf.deltas import symbols

_BYTES = st.integers(0, 255)
_MANY = 1 << 17  # Bytes that are looked up two at once.


def _packed(values, radix, alphabet):
    """Packs slowly; returns the bytes and the escapes."""
    digits = [alphabet.index(value) if value in alphabet else radix - 1 for value in values]
    per_byte = symbols.DIGITS[radix]
    digits += [0] * (-len(digits) % per_byte)
    numbers = [
        sum(digit * radix**power for power, digit in enumerate(reversed(digits[start:][:per_byte])))
        for start in range(0, len(digits), per_byte)
    ]
    return np.array(numbers, np.uint8), [value for value in values if value not in alphabet]


@pytest.mark.parametrize("radix", range(2, 17))
def test_a_byte_holds_as_many_digits_as_fit(radix):
    digits = symbols.DIGITS[radix]
    assert radix**digits <= 256 < radix ** (digits + 1)


def test_bytes_are_numbers_whose_first_digit_is_the_most_significant():
    # 45 = 0 * 81 + 1 * 27 + 2 * 9 + 0 * 3 + 0, and 81 = 1 * 81.
    stored = iter([np.array([45, 81], np.uint8)])
    assert symbols.decode([3, [0, 1, 255], 0], 6, stored).tolist() == [0, 1, 255, 0, 0, 1]


def test_escapes_follow_in_order():
    # 18 = 0b00010010.
    stored = iter([np.array([18], np.uint8), np.array([9, 7], np.uint8)])
    tree = [2, [5], 0, 2, 0]
    assert symbols.decode(tree, 8, stored).tolist() == [5, 5, 5, 9, 5, 5, 7, 5]


def test_constant_takes_no_bytes():
    assert symbols.leaf_sizes([1, [254]], 3) == []
    assert symbols.decode([1, [254]], 3, iter([])).tolist() == [254, 254, 254]


@settings(max_examples=30, deadline=None)
@given(st.data(), st.integers(2, 16), st.booleans())
def test_decode_undoes_a_slow_packing(data, radix, escapes):
    alphabet = data.draw(
        st.lists(_BYTES, min_size=1, max_size=radix - escapes, unique=True), label="alphabet"
    )
    value = st.sampled_from(alphabet)
    values = data.draw(st.lists(value | _BYTES if escapes else value, max_size=30), label="values")
    packed, rest = _packed(values, radix, alphabet)
    tree, leaves = [radix, alphabet, 3], [packed]
    if rest:
        tree, leaves = [*tree, len(rest), 4], [packed, np.array(rest, np.uint8)]
    assert symbols.leaf_sizes(tree, len(values)) == [
        (codec, leaf.size) for codec, leaf in zip((3, 4), leaves, strict=False)
    ]
    assert symbols.decode(tree, len(values), iter(leaves)).tolist() == values


@pytest.mark.parametrize("radix", [2, 3, 16])
@pytest.mark.parametrize("size", [_MANY, _MANY + 1])
def test_long_sequences_are_decoded_alike(radix, size):
    packed = np.random.default_rng(0).integers(0, 256, size, np.uint8)
    digits = symbols.DIGITS[radix]
    expected = np.unravel_index(packed.astype(int) % radix**digits, [radix] * digits)
    decoded = symbols.decode([radix, list(range(radix)), 0], size * digits - 1, iter([packed]))
    np.testing.assert_array_equal(decoded, np.transpose(expected).ravel()[:-1])


def test_trees_nest_with_the_packed_part_before_the_escapes():
    # 1000 mask bits are 125 bytes, and those 25; 21 escapes are pairs, in 11 bytes.
    tree = [2, [0], [3, [0, 1, 2], 4], 21, [16, [1, 2], 7]]
    assert symbols.leaf_sizes(tree, 1000) == [(4, 25), (7, 11)]
    assert symbols.with_codecs(tree, iter([0, 1])) == [
        2,
        [0],
        [3, [0, 1, 2], 0],
        21,
        [16, [1, 2], 1],
    ]


@pytest.mark.parametrize("number", [1, 3])
def test_other_number_of_escapes_than_said_is_refused(number):
    stored = iter([np.array([0b00010010], np.uint8), np.zeros(number, np.uint8)])
    with pytest.raises(ValueError, match=f"2 of 8 bytes are escapes, expected {number}"):
        symbols.decode([2, [5], 0, number, 0], 8, stored)


def test_digits_without_a_value_are_zeros_and_no_escapes():
    # 27 = 0 * 64 + 1 * 16 + 2 * 4 + 3: digits 1 and 2 have no value, digit 3 is the escape.
    stored = iter([np.array([27], np.uint8), np.array([9], np.uint8)])
    assert symbols.decode([4, [5], 0, 1, 0], 4, stored).tolist() == [5, 0, 0, 9]


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        (-1, "10 bytes is described by -1"),
        (True, "described by True"),
        (None, "described by None"),
        ("é\n" * 50, r"described by 'é\\né.{30,40}\.\.\."),
        ([], "described by list"),
        ([2, [0, 1], 0, 1], "described by list"),
        ([2, [0, 1], "x"], "5 bytes|2 bytes is described by 'x'"),
        ([2, [0]], "radix is 2, expected 1"),
        ([1, [0], 0], r"radix is 1, expected 2\.\.16"),
        ([17, [0], 0], r"radix is 17, expected 2\.\.16"),
        ([2.0, [0], 0], r"radix is float"),
        ([1, [0, 0]], r"alphabet is list, expected 1\.\.1 bytes"),
        ([2, [], 0], r"alphabet is list, expected 1\.\.2 bytes"),
        ([2, [0, 1], 0, 1, 0], r"alphabet is list, expected 1\.\.1 bytes"),
        ([2, [256], 0], "alphabet is list"),
        ([2, [False], 0], "alphabet is list"),
        ([2, "ab", 0], "alphabet is 'ab'"),
        ([2, [0], 0, 0, 0], "0 of 10 bytes are escapes"),
        ([2, [0], 0, 11, 0], "11 of 10 bytes are escapes"),
        ([2, [0], 0, True, 0], "True of 10 bytes are escapes"),
    ],
)
def test_what_is_no_tree_is_refused_in_one_line(tree, message):
    with pytest.raises(ValueError, match=message) as refusal:
        symbols.leaf_sizes(tree, 10)
    assert "\n" not in str(refusal.value)


def test_trees_have_a_limited_depth():
    tree = 0
    for _ in range(symbols.DEEPEST + 1):
        tree = [2, [0, 1], tree]
    assert symbols.leaf_sizes(tree, 10) == [(0, 1)]
    with pytest.raises(ValueError, match="described by list"):
        symbols.leaf_sizes([2, [0, 1], tree], 10)


_ALPHABET = st.lists(st.integers(0, 9), min_size=1, max_size=3)
_JSON = st.recursive(
    st.sampled_from([0, 1, 2, 3, -1, None, "x", []]),
    lambda part: (
        st.tuples(st.integers(1, 6), _ALPHABET, part).map(list)
        | st.tuples(st.integers(4, 6), _ALPHABET, part, st.integers(0, 40), part).map(list)
    ),
    max_leaves=6,
)


@settings(max_examples=30, deadline=None)
@given(_JSON, st.integers(0, 100))
def test_whatever_is_read_gives_that_many_bytes_or_a_value_error(tree, length):
    message = ""
    try:
        sizes = symbols.leaf_sizes(tree, length)
        leaves = (np.arange(size).astype(np.uint8) for _, size in sizes)
        assert symbols.decode(tree, length, leaves).shape == (length,)
    except ValueError as error:
        message = str(error)
    assert "\n" not in message


def test_tables_that_are_kept_cannot_be_written_to():
    with pytest.raises(ValueError, match="read-only"):
        symbols.value_table(2, (0, 1))[0] = 1
