import math
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ss_tf.deltas import fields, huffman

_INT8 = st.integers(-128, 127)


def _residuals(values):
    """Returns a vector that can be packed, cut to whole words."""
    return np.array(values[: len(values) // 16 * 16], np.int8)


# Of any bytes; of a few kinds; of multiples of a step.
_VECTORS = st.one_of(
    st.lists(_INT8, max_size=200),
    st.lists(_INT8, min_size=1, max_size=20).flatmap(
        lambda kinds: st.lists(st.sampled_from(kinds), max_size=400)
    ),
    st.tuples(st.integers(1, 63), st.lists(st.integers(-2, 2), max_size=400)).map(
        lambda pair: [pair[0] * offset for offset in pair[1]]
    ),
).map(_residuals)


def _drawn(size, kinds, *, share=0.1, seed=0):
    """Draws residuals; the share that is not 0 is evenly of the other kinds."""
    others = [kind for kind in kinds if kind]
    shares = [1 - share, *[share / len(others)] * len(others)]
    return np.random.default_rng(seed).choice([0, *others], size, p=shares).astype(np.int8)


def _pack(residuals):
    """Packs residuals as a single piece."""
    return fields.pack(residuals, [residuals.size])


def _stored_bytes(packed):
    """Returns what fields and exceptions take, each as a zlib stream."""
    exceptions = zlib.compress(fields.exception_bytes(packed), 9)
    return sum(len(fields.compress(part)) for part in packed.packed.values()) + len(exceptions)


def _slowly_unpacked(packed):
    """Unpacks as the description says, field by field."""
    digits = {bits: [] for bits in fields.ZEROS}
    for bits, found in digits.items():
        for shift in range(0, 8, bits):
            found += [byte >> shift & (2**bits - 1) for byte in packed.packed[bits].tolist()]
    values = []
    for bits, step, size in zip(packed.bits, packed.steps, packed.sizes, strict=True):
        values += [step * (digits[bits].pop(0) - fields.ZEROS[bits]) for _ in range(size)]
    assert not any(digits.values())
    for place, value in zip(packed.places.tolist(), packed.values.tolist(), strict=True):
        assert values[place] == 0
        values[place] = value
    return [(value + 128) % 256 - 128 for value in values]


def _fields(bits, *, step, packed, exceptions=()):
    """Returns one piece in fields, of which the first are exceptions."""
    none = {width: np.zeros(0, np.uint8) for width in fields.ZEROS}
    return fields.Fields(
        sizes=(8 * len(packed) // bits,),
        bits=(bits,),
        steps=(step,),
        packed=none | {bits: np.array(packed, np.uint8)},
        places=np.arange(len(exceptions), dtype=np.int32),
        values=np.array(exceptions, np.int8),
    )


def _assert_packed(packed, bits, step, *, places=()):
    """Expects one piece of a width and step, with exceptions at places."""
    assert (packed.bits, packed.steps) == ((bits,), (step,))
    assert packed.places.tolist() == list(places)


@settings(max_examples=300, deadline=None)
@given(_VECTORS)
def test_unpack_undoes_pack(residuals):
    packed = _pack(residuals)
    np.testing.assert_array_equal(fields.unpack(packed), residuals, strict=True)
    assert _slowly_unpacked(packed) == residuals.tolist()
    assert 1 <= packed.steps[0] <= fields.LARGEST_STEPS[packed.bits[0]]
    sizes = {bits: part.size for bits, part in packed.packed.items()}
    assert sizes == {
        bits: bits * residuals.size // 8 * (bits == packed.bits[0]) for bits in fields.ZEROS
    }
    assert {part.dtype for part in packed.packed.values()} == {np.dtype(np.uint8)}
    assert packed.places.dtype == np.int32
    assert np.all(np.diff(packed.places) > 0)


def test_every_residual_comes_back():
    residuals = np.arange(-128, 128).astype(np.int8)
    np.testing.assert_array_equal(fields.unpack(_pack(residuals)), residuals)


def test_differences_of_int8_are_taken_modulo_256():
    base = np.array([-127, 127, 100, 0], np.int8)
    sub = np.array([127, -127, -100, -1], np.int8)
    packed = _pack(np.tile(sub - base, 4))
    np.testing.assert_array_equal(np.tile(base, 4) + fields.unpack(packed), np.tile(sub, 4))


def test_packed_bytes_agree_with_hand_arithmetic():
    # Of step 4, fields of 2 bits: 0 -> 1, 4 -> 2, 8 -> 3, -4 -> 0. Of 4 bytes, the first has the
    # fields 0, 4, 8 and 12: 1 + 4 * 2 + 16 * 3 + 64 * 0 = 57; else 1 + 4 + 16 + 64 = 85.
    packed = _pack(np.array([0, 0, 0, 5, 4, 0, 0, 0, 8, 0, 0, 0, -4, 0, 0, 0], np.int8))
    _assert_packed(packed, 2, 4, places=[3])
    assert packed.packed[2].tolist() == [57, 85, 85, 85]
    assert packed.values.tolist() == [5]


@pytest.mark.parametrize(
    ("bits", "packed", "expected"),
    [
        (2, [0b11_10_01_00], [-3, 0, 3, 6]),
        (4, [0x70, 0xF8], [-21, 3, 0, 24]),
        (8, [0, 1, 127, 128], [0, 3, 125, -128]),
    ],
)
def test_the_lowest_bits_of_all_bytes_have_the_first_fields(bits, packed, expected):
    packed = _fields(bits, step=3, packed=packed)
    # 3 * 127 is 381, 125 modulo 256; 3 * 128 is 384.
    np.testing.assert_array_equal(fields.unpack(packed), expected)


@pytest.mark.parametrize("step", [1, 3, 4, 8, 12])
@pytest.mark.parametrize(
    ("bits", "offsets", "share"), [(2, [-1, 2], 0.1), (2, [-1, 1, 2], 0.1), (4, range(-7, 9), 0.7)]
)
def test_width_and_step_are_those_of_the_residuals(bits, offsets, share, step):
    packed = _pack(_drawn(20_000, [step * offset for offset in offsets], share=share))
    _assert_packed(packed, bits, step)


def test_about_a_dozen_kinds_take_four_bits_with_rare_exceptions():
    steps = np.rint(np.random.default_rng(0).normal(0, 2, 20_000))
    packed = _pack((4 * steps).astype(np.int8))
    _assert_packed(packed, 4, 4, places=np.flatnonzero((steps < -7) | (steps > 8)))


def test_residuals_of_all_kinds_are_bytes():
    residuals = np.random.default_rng(0).integers(-128, 128, 20_000).astype(np.int8)
    packed = _pack(residuals)
    _assert_packed(packed, 8, 1)
    assert packed.packed[8].tobytes() == residuals.tobytes()


def test_few_values_off_the_grid_are_exceptions():
    residuals = _drawn(20_000, [0, -8, 8])
    residuals[[3, 500, 19_999]] = -128, 127, 5
    packed = _pack(residuals)
    _assert_packed(packed, 2, 8, places=[3, 500, 19_999])
    assert packed.values.tolist() == [-128, 127, 5]


@pytest.mark.parametrize("bits", [2, 4])
def test_the_largest_step_is_the_last_whose_values_are_int8(bits):
    offsets = np.arange(2**bits) - fields.ZEROS[bits]
    step = fields.LARGEST_STEPS[bits]
    assert np.abs(step * offsets).max() <= 127 < np.abs((step + 1) * offsets).max()


@pytest.mark.parametrize(("bits", "step"), [(2, 63), (4, 15)])
def test_the_largest_steps_are_found(bits, step):
    offsets = np.arange(2**bits) - fields.ZEROS[bits]
    packed = _pack(_drawn(20_000, step * offsets, share=0.1 if bits == 2 else 0.7))
    _assert_packed(packed, bits, step)


def test_beyond_the_largest_step_nothing_is_lost():
    residuals = _drawn(20_000, [0, -64, 64, -128])
    np.testing.assert_array_equal(fields.unpack(_pack(residuals)), residuals)


@pytest.mark.parametrize("size", [0, 16, 10_000])
def test_equal_networks_take_hardly_anything(size):
    packed = _pack(np.zeros(size, np.int8))
    _assert_packed(packed, 2, 1)
    np.testing.assert_array_equal(fields.unpack(packed), np.zeros(size, np.int8), strict=True)
    assert _stored_bytes(packed) <= 50


def test_fields_can_be_exceptions_all():
    everywhere = _fields(2, step=1, packed=[0b01_01_01_01], exceptions=[-128, 127, 9, -9])
    assert fields.unpack(everywhere).tolist() == [-128, 127, 9, -9]


@settings(max_examples=100, deadline=None)
@given(st.lists(_VECTORS, min_size=1, max_size=5))
def test_pieces_come_back_in_order(pieces):
    residuals = np.concatenate(pieces)
    packed = fields.pack(residuals, [piece.size for piece in pieces])
    np.testing.assert_array_equal(fields.unpack(packed), residuals, strict=True)
    assert _slowly_unpacked(packed) == residuals.tolist()


def test_each_piece_has_a_step_of_its_own():
    pieces = [_drawn(4000, [0, -step, step], seed=step) for step in (7, 3, 5)]
    packed = fields.pack(np.concatenate(pieces), [4000] * 3)
    assert (packed.bits, packed.steps, packed.places.size) == ((2, 2, 2), (7, 3, 5), 0)


def test_each_piece_has_a_width_of_its_own():
    eight = np.random.default_rng(0).integers(-128, 128, 20_000).astype(np.int8)
    two, four = _drawn(20_000, [0, 3, -3]), _drawn(20_000, range(-7, 9), share=0.7)
    packed = fields.pack(np.concatenate([eight, two, four] * 2), [20_000] * 6)
    assert (packed.bits, packed.steps) == ((8, 2, 4) * 2, (1, 3, 1) * 2)
    sizes = {bits: part.size for bits, part in packed.packed.items()}
    assert sizes == {2: 10_000, 4: 20_000, 8: 40_000}
    # The first field of the second piece of 4 bits is halfway.
    assert packed.packed[4][0] >> 4 == four[0] + fields.ZEROS[4]


def test_no_pieces_have_no_steps():
    packed = fields.pack(np.zeros(0, np.int8), [])
    assert (packed.sizes, packed.bits, packed.steps, packed.places.size) == ((), (), (), 0)
    for part in packed.packed.values():
        np.testing.assert_array_equal(part, np.zeros(0, np.uint8), strict=True)
    np.testing.assert_array_equal(fields.unpack(packed), np.zeros(0, np.int8), strict=True)


@pytest.mark.parametrize(
    ("shape", "sizes"), [((4,), [4]), ((32,), [24, 8]), ((32,), [16]), ((4, 4), [16]), ((), [])]
)
def test_other_shapes_are_refused(shape, sizes):
    with pytest.raises(ValueError, match=r"have shape \(.*\) in pieces .* multiples of 16"):
        fields.pack(np.zeros(shape, np.int8), sizes)


def test_fields_are_stored_as_zlib_and_exceptions_as_bytes():
    residuals = _drawn(20_000, [0, -8, 8])
    residuals[[3, 500]] = -128, 5
    packed = _pack(residuals)
    assert zlib.decompress(fields.compress(packed.packed[2])) == packed.packed[2].tobytes()
    second = fields.exception_bytes(packed)
    # Little-endian: 500 is 1 * 256 + 244.
    assert second == bytes([3, 0, 0, 0, 244, 1, 0, 0, 128, 5])


@given(st.binary(max_size=3000))
@settings(max_examples=30, deadline=None)
def test_any_bytes_are_compressed_to_zlib(data):
    data = np.frombuffer(data * 3, np.uint8)
    assert zlib.decompress(fields.compress(data)) == data.tobytes()


@pytest.mark.parametrize("share", [0, 0.001, 0.01, 0.05])
def test_where_few_bytes_differ_matches_are_made_use_of(share):
    rng = np.random.default_rng(0)
    data = np.where(rng.random(20_000) < share, rng.integers(0, 256, 20_000), 85).astype(np.uint8)
    stream = fields.compress(data)
    assert zlib.decompress(stream) == data.tobytes()
    assert len(stream) <= min(len(zlib.compress(data.tobytes(), 9)), len(huffman.compress(data)))


@pytest.mark.parametrize(
    # A byte of four fields takes a bit at least, which is much where hardly anything differs.
    ("share", "limit"),
    [(0.02, 1.5), (0.1, 1.06), (0.3, 1.03)],
)
def test_a_sparse_delta_takes_little_more_than_its_entropy(share, limit):
    residuals = _drawn(400_000, [-4, 4], share=share)
    entropy = -(share * math.log2(share / 2) + (1 - share) * math.log2(1 - share))
    taken = 8 * _stored_bytes(_pack(residuals)) / residuals.size
    assert entropy < taken < limit * entropy
