import numpy as np
import pytest
import tensorflow as tf

from ss_tf.deltas import fields
from ss_tf.routing import field_decoding


@pytest.fixture(scope="module")
def decode():
    """Decodes fields in one graph for all of them; `decode.function` is its TensorFlow function."""
    numbers, words = tf.TensorSpec([None], tf.int32), tf.TensorSpec([None], tf.int32)

    @tf.function(
        input_signature=[
            [words] * len(fields.ZEROS),
            *[numbers] * 4,
            tf.TensorSpec([None], tf.int8),
        ]
    )
    def function(packed, bits, sizes, steps, places, values):
        # Sizes are known in a graph of one network; here three serve all.
        sizes, bits, steps = (tf.ensure_shape(vector, [3]) for vector in (sizes, bits, steps))
        sizes = tf.unstack(sizes)
        packed = dict(zip(fields.ZEROS, packed, strict=True))
        return field_decoding.residuals(
            packed, bits=bits, sizes=sizes, steps=steps, places=places, values=values
        )

    def decode(packed):
        # Pieces that are not there have no length.
        none = [0] * (3 - len(packed.sizes))
        return function(
            [packed.packed[width].view(np.int32) for width in fields.ZEROS],
            [*packed.bits, *none],
            [*packed.sizes, *none],
            [*packed.steps, *none],
            packed.places,
            packed.values,
        ).numpy()

    decode.function = function
    return decode


def _fields(bits, step, *, words, exceptions=0, packed=None, seed=0):
    """Draws one piece in fields of any value, and exceptions among them; or takes its bytes."""
    rng = np.random.default_rng(seed)
    size = fields.MULTIPLE * words
    drawn = rng.integers(0, 256, size * bits // 8, np.uint8)
    none = {width: np.zeros(0, np.uint8) for width in fields.ZEROS}
    return fields.Fields(
        sizes=(size,),
        bits=(bits,),
        steps=(step,),
        packed=none | {bits: drawn if packed is None else packed},
        places=np.sort(rng.permutation(size)[:exceptions]).astype(np.int32),
        values=rng.integers(-128, 128, exceptions, np.int8),
    )


@pytest.mark.parametrize("exceptions", [0, 1, 40])
@pytest.mark.parametrize("bits", fields.ZEROS)
def test_a_graph_unpacks_what_numpy_does_at_every_step(decode, bits, exceptions):
    for step in range(1, fields.LARGEST_STEPS[bits] + 1):
        packed = _fields(bits, step, words=300, exceptions=exceptions, seed=step)
        np.testing.assert_array_equal(decode(packed), fields.unpack(packed), strict=True)


@pytest.mark.parametrize("bits", fields.ZEROS)
def test_every_byte_is_unpacked_beside_every_other(decode, bits):
    """What one byte gives does not depend on its neighbours: nothing carries over."""
    every = np.arange(256, dtype=np.uint8)
    packed = np.stack([np.repeat(every, 256), np.tile(every, 256)], axis=1).ravel()
    words = 8 * packed.size // bits // fields.MULTIPLE
    packed = _fields(bits, fields.LARGEST_STEPS[bits], words=words, packed=packed)
    np.testing.assert_array_equal(decode(packed), fields.unpack(packed), strict=True)


@pytest.mark.parametrize("bits", fields.ZEROS)
@pytest.mark.parametrize("words", [0, 1])
def test_short_vectors_are_unpacked(decode, bits, words):
    packed = _fields(bits, 1, words=words, exceptions=4 * words)
    np.testing.assert_array_equal(decode(packed), fields.unpack(packed), strict=True)


@pytest.mark.parametrize("spread", [0.3, 2, 40])
def test_packed_residuals_come_back(decode, spread):
    steps = np.random.default_rng(0).normal(0, spread, 4000)
    residuals = (4 * np.rint(steps)).astype(np.int64).astype(np.int8)
    np.testing.assert_array_equal(
        decode(fields.pack(residuals, [residuals.size])), residuals, strict=True
    )


@pytest.mark.parametrize("spread", [0.3, 2, 40])
def test_pieces_have_steps_of_their_own(decode, spread):
    rng = np.random.default_rng(0)
    pieces = [
        (step * np.rint(rng.normal(0, spread, size))).astype(np.int64).astype(np.int8)
        for step, size in ((7, 4000), (1, 16), (3, 800))
    ]
    packed = fields.pack(np.concatenate(pieces), [4000, 16, 800])
    np.testing.assert_array_equal(decode(packed), np.concatenate(pieces), strict=True)


def test_pieces_have_widths_of_their_own(decode):
    rng = np.random.default_rng(0)
    kinds = (range(-99, 99), [0] * 9 + [1], range(-7, 9))
    pieces = [rng.choice(values, 8000).astype(np.int8) for values in kinds]
    packed = fields.pack(np.concatenate(pieces), [8000] * 3)
    assert packed.bits == (8, 2, 4)
    np.testing.assert_array_equal(decode(packed), np.concatenate(pieces), strict=True)


def test_no_pieces_give_no_residuals():
    packed = fields.pack(np.zeros(0, np.int8), [])
    found = field_decoding.residuals(
        {width: tf.zeros([0], tf.int32) for width in fields.ZEROS},
        bits=tf.zeros([0], tf.int32),
        sizes=packed.sizes,
        steps=tf.zeros([0], tf.int32),
        places=tf.constant(packed.places),
        values=tf.constant(packed.values),
    )
    np.testing.assert_array_equal(found, fields.unpack(packed), strict=True)


def test_one_trace_serves_all(decode):
    for bits in fields.ZEROS:
        decode(_fields(bits, 1, words=bits, exceptions=bits))
    assert decode.function.experimental_get_tracing_count() == 1
