import numpy as np
import pytest

from ss_tf.edge import packing


@pytest.mark.parametrize(("bits", "expected"), [(2, 0b01010101), (4, 0b01110111), (8, 0)])
def test_still_bytes_are_full_of_fields_that_add_nothing(bits, expected):
    assert packing.still_byte(bits) == expected


def test_mask_is_a_bit_for_each_byte_and_then_those_that_change():
    packed = np.array([0x55, 1, 2, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 3], np.uint8)
    stored = packing.mask(packed, 2)
    np.testing.assert_array_equal(stored, [0b00000110, 0b00000010, 1, 2, 3])
    changes, values = packing.unmask(stored, 10)
    np.testing.assert_array_equal(np.flatnonzero(changes), [1, 2, 9])
    np.testing.assert_array_equal(values, [1, 2, 3])


@pytest.mark.parametrize("size", [1, 7, 8, 9, 1000])
def test_masks_come_back(size):
    packed = np.random.default_rng(size).choice([0x77, 0x77, 0x77, 1, 2], size).astype(np.uint8)
    stored = packing.mask(packed, 4)
    assert packing.is_masked(stored, size)
    changes, values = packing.unmask(stored, size)
    found = np.full(size, 0x77, np.uint8)
    found[changes] = values
    np.testing.assert_array_equal(found, packed)


def test_what_is_no_mask_is_told():
    stored = packing.mask(np.array([1, 0, 0, 2, 0], np.uint8), 8)
    assert packing.is_masked(stored, 5)
    # Too few, too many, and a bit beyond the end.
    assert not packing.is_masked(stored[:-1], 5)
    assert not packing.is_masked(np.append(stored, np.uint8(0)), 5)
    assert not packing.is_masked(stored, 3)
    assert not packing.is_masked(stored[:0], 5)


def test_ends_of_parts_are_found_among_bits_and_bytes():
    packed = np.zeros(40, np.uint8)
    packed[[0, 9, 10, 33]] = 1
    stored = packing.mask(packed, 8)
    # Five bytes of bits; one byte changes in the first nine, three in the first 20.
    found = packing.mask_ends(stored, np.array([9, 20, 40]))
    np.testing.assert_array_equal(found, [2, 3, 5, 6, 8, 9])


def test_planes_are_the_bytes_of_words():
    words = np.array([0x01020304, 0xFFFFFFFE], np.uint32)
    planes = np.concatenate(packing.to_planes(words))
    np.testing.assert_array_equal(planes, [4, 0xFE, 3, 0xFF, 2, 0xFF, 1, 0xFF])
    np.testing.assert_array_equal(packing.from_planes(planes), words)


def test_small_differences_fold_to_small_numbers():
    differences = np.array([0, 1, 2, -1, -2, 2**31 - 1, -(2**31)]).astype(np.int64)
    folded = packing.fold(differences.astype(np.uint32))
    np.testing.assert_array_equal(folded, [0, 2, 4, 1, 3, 2**32 - 2, 2**32 - 1])
    np.testing.assert_array_equal(packing.unfold(folded), differences.astype(np.uint32))
