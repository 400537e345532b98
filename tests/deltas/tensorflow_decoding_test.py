"""TensorFlow's operations alone restore what the default codecs store, so a graph can hold a bank.

Python turns an entry into plain tensors once; one traced function then serves every entry.
"""

import pathlib

import numpy as np
import pytest
import tensorflow as tf

from ss_tf.deltas import bank, codecs, layout, symbols
from ss_tf.deltas import entry as entries
from ss_tf.models import integer_network

_GOLDEN = pathlib.Path(__file__).parent / "golden"


def _tensors_of(entry, base):
    """Returns `streams`, `steps`, `alphabets`, `kernels`, all that `_restore` needs of an entry.

    A step is (length, radix, first, second) and makes one sequence of bytes: for radix 0 those from
    place `first` of the data on, for 1 the alphabet's only value, else by unpacking step `first`,
    whose escapes are step `second`. A kernel is (step of its values, step of its levels). -1 stands
    for none.
    """
    names, trees, lengths = zip(*entries.sequences(entry, base=base), strict=True)
    # By pool, then by column, then by sequence: the order in which they lie.
    leaves = sorted(
        (number, column, row, size)
        for row, (tree, length) in enumerate(zip(trees, lengths, strict=True))
        for column, (number, size) in enumerate(symbols.leaf_sizes(tree, length))
    )
    starts = {
        (row, column): sum(size for *_, size in leaves[:place])
        for place, (_, column, row, _) in enumerate(leaves)
    }
    steps, alphabets = [], []

    def add(tree, length, places):
        radix, alphabet, first, second = 0, [], -1, -1
        if isinstance(tree, int):
            first = next(places)
        else:
            radix, alphabet = tree[:2]
            if radix > 1:
                first = add(tree[2], -(-length // symbols.DIGITS[radix]), places)
            if len(tree) == 5:
                second = add(tree[4], tree[3], places)
        steps.append((length, radix, first, second))
        alphabets.append(alphabet + [0] * (16 - len(alphabet)))
        return len(steps) - 1

    last = {
        name: add(tree, length, (starts[row, column] for column in range(len(leaves))))
        for row, (name, tree, length) in enumerate(zip(names, trees, lengths, strict=True))
    }
    kernels = [(last[name], last.get(f"{name}:levels", -1)) for name in layout.body_kernels(base)]
    kernels.append((last[layout.HEAD_KERNEL], -1))
    return (
        tf.constant(list(entry.pools.values())),
        tf.constant(steps),
        tf.constant(alphabets, tf.uint8),
        tf.constant(kernels),
    )


def _make_restore(base):
    """Returns a tf.function: what `_tensors_of` returned -> int8 kernels, the head's last."""
    body = [tf.constant(kernel) for kernel in layout.body_kernels(base).values()]
    head_inputs = base.kernels[layout.HEAD_KERNEL].shape[0]

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.string),
            tf.TensorSpec([None, 4], tf.int32),
            tf.TensorSpec([None, 16], tf.uint8),
            tf.TensorSpec([len(body) + 1, 2], tf.int32),
        ]
    )
    def restore(streams, steps, alphabets, kernels):
        made = _made(streams, steps, alphabets)
        deltas = [_residuals(made, kernels[i], kernel.shape) for i, kernel in enumerate(body)]
        head = tf.bitcast(made.read(kernels[-1, 0]), tf.int8)
        # The sum of int8 wraps, as it should.
        restored = [kernel + delta for kernel, delta in zip(body, deltas, strict=True)]
        return [*restored, tf.reshape(head, [head_inputs, -1])]

    return restore


def _made(streams, steps, alphabets):
    """Returns what each step makes."""
    data = tf.strings.reduce_join(tf.io.decode_compressed(streams, "ZLIB"))
    stored = tf.io.decode_raw(data, tf.uint8)
    count = tf.shape(steps)[0]
    made = tf.TensorArray(tf.uint8, count, element_shape=[None], clear_after_read=False)
    for i in tf.range(count):
        length, radix, first, second = tf.unstack(steps[i])
        if radix == 0:
            values = stored[first : first + length]
        elif radix == 1:
            values = tf.fill([length], alphabets[i, 0])
        else:
            packed = tf.cast(made.read(first), tf.int32)
            values = _unpacked(packed, radix, alphabets[i])[:length]
            if second >= 0:
                places = tf.where(_unpacked(packed, radix, tf.range(16) == radix - 1))
                values = tf.tensor_scatter_nd_update(values, places, made.read(second))
        made = made.write(i, values)
    return made


def _residuals(made, places, shape):
    """Returns the residuals of a kernel, int8, from the steps of its values and its levels."""
    values = made.read(places[0])
    residuals = tf.reshape(values, [-1, shape[-1]])
    if places[1] >= 0:
        order = tf.argsort(tf.cast(made.read(places[1]), tf.int32), stable=True)
        by_channel = tf.reshape(values, [shape[-1], -1])
        residuals = tf.transpose(tf.gather(by_channel, tf.argsort(order)))
    return tf.reshape(tf.bitcast(residuals, tf.int8), shape)


def _unpacked(packed, radix, values_of_digits):
    """Looks up the digits of each byte, the first the most significant; flat."""
    digits = tf.constant([symbols.DIGITS.get(radix, 0) for radix in range(17)])[radix]
    powers = radix ** tf.range(digits - 1, -1, -1)
    table = tf.gather(values_of_digits, tf.range(256)[:, tf.newaxis] // powers % radix)
    return tf.reshape(tf.gather(table, packed), [-1])


@pytest.fixture(scope="module")
def base():
    return integer_network.load(_GOLDEN / "base.safetensors")


def test_one_graph_restores_the_kernels_of_every_entry(base):
    restore = _make_restore(base)
    names = [*layout.body_kernels(base), layout.HEAD_KERNEL]
    for superclass in ("cats", "trucks"):
        entry = bank.load_entry(_GOLDEN / "bank", superclass)
        assert set(entry.pools) <= set(codecs.TF_DECODABLE)
        expected = bank.read_entry(_GOLDEN / "bank", superclass, base=base).kernels
        restored = restore(*_tensors_of(entry, base))
        for name, kernel in zip(names, restored, strict=True):
            np.testing.assert_array_equal(kernel.numpy(), expected[name], strict=True)
    assert restore.experimental_get_tracing_count() == 1
    operations = [node.op for node in restore.get_concrete_function().graph.as_graph_def().node]
    assert operations.count("DecodeCompressed") == 1
