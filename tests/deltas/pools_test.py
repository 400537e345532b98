import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ss_tf.deltas import codecs, packing, pools

_CODECS = ("zlib-huffman", "zlib-9")


def _residuals(size, spread, *, seed=0):
    return np.rint(np.random.default_rng(seed).laplace(0, spread, size)).astype(np.int8)


def _leaf(text):
    return np.frombuffer(text.encode(), np.uint8)


def _three():
    """Three sequences with two, no and one leaves."""
    return [
        packing.Encoded([2, [0], 0, 5, 0], [_leaf("ab"), _leaf("cdefg")], 0.0),
        packing.Encoded([1, [7]], [], 0.0),
        packing.Encoded(0, [_leaf("hij")], 0.0),
    ]


@settings(max_examples=12, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 400), st.sampled_from([0, 0.1, 0.4, 3, 40])),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from([_CODECS, ("raw",), ("zstd", "zlib-huffman", "raw")]),
)
def test_empty_undoes_fill(sizes_and_spreads, codec_names):
    sequences = [_residuals(*drawn, seed=seed) for seed, drawn in enumerate(sizes_and_spreads)]
    trees, streams = pools.fill([packing.encode(values) for values in sequences], codec_names)
    assert set(streams) <= set(codec_names)
    restored = pools.empty(streams, trees, lengths=[values.size for values in sequences])
    for one, other in zip(restored, sequences, strict=True):
        np.testing.assert_array_equal(one, other.view(np.uint8), strict=True)


def test_a_pool_has_the_first_leaf_of_each_sequence_and_then_the_second():
    trees, streams = pools.fill(_three(), ["raw"])
    assert streams == {"raw": b"abhijcdefg"}
    assert trees == [[2, [0], 0, 5, 0], [1, [7]], 0]


def test_leaves_are_read_in_the_order_in_which_they_are_stored():
    # 0b10000001 and 0b11100000: escapes at 0, 7, 8, 9 and 10.
    streams = {"raw": b"\x81\xe0hijcdefg"}
    trees = [[2, [0], 0, 5, 0], [1, [7]], 0]
    first, second, third = pools.empty(streams, trees, lengths=[12, 2, 3])
    assert first.tobytes() == b"c\0\0\0\0\0\0defg\0"
    assert second.tobytes() == b"\7\7"
    assert third.tobytes() == b"hij"


def test_constant_sequences_need_no_pool():
    trees, streams = pools.fill([packing.encode(np.zeros(9, np.int8))] * 2, _CODECS)
    assert (trees, streams) == ([[1, [0]]] * 2, {})
    assert [part.tolist() for part in pools.empty({}, trees, lengths=[9, 1])] == [[0] * 9, [0]]
    assert pools.fill([], _CODECS) == ([], {})


def test_leaves_that_another_codec_makes_smaller_have_its_pool():
    pattern = np.tile(np.random.default_rng(0).integers(0, 256, 500, np.uint8), 8)
    noise = _residuals(4000, 20).view(np.uint8)
    sequences = [packing.Encoded(0, [values], 0.0) for values in (noise, pattern, noise[::-1])]
    trees, streams = pools.fill(sequences, _CODECS)
    assert trees == [0, 1, 0]
    assert list(streams) == list(_CODECS)
    assert zlib.decompress(streams["zlib-huffman"]) == noise.tobytes() + noise[::-1].tobytes()
    assert zlib.decompress(streams["zlib-9"]) == pattern.tobytes()


def test_a_codec_that_saves_less_than_a_stream_costs_is_not_used():
    # 200 bytes of 4 kinds take 50 with a code of 2 bits, and some 12 as repeats.
    sequences = [packing.Encoded(0, [np.tile(_leaf("abcd"), 50)], 0.0)]
    data = sequences[0].leaves[0].tobytes()
    assert len(codecs.encode("zlib-9", data)) < len(codecs.encode("zlib-huffman", data)) - 20
    trees, streams = pools.fill(sequences, _CODECS)
    assert (trees, list(streams)) == ([0], ["zlib-huffman"])


def test_the_only_pool_used_has_number_0():
    sequences = [packing.Encoded(0, [np.zeros(5000, np.uint8)], 0.0)]
    trees, streams = pools.fill(sequences, ("raw", "zlib-9"))
    assert (trees, list(streams)) == ([0], ["zlib-9"])


def test_one_stream_takes_less_than_one_per_sequence():
    sequences = [packing.encode(_residuals(300, 3, seed=seed)) for seed in range(20)]
    _, streams = pools.fill(sequences, _CODECS)
    apart = [sum(map(len, pools.fill([one], _CODECS)[1].values())) for one in sequences]
    assert sum(map(len, streams.values())) < 0.9 * sum(apart)


@pytest.mark.parametrize(
    ("streams", "trees", "message"),
    [
        ({"raw": b"abcd"}, [0, 1], r"in pool 1, expected one of 1\."),
        ({}, [0, [1, [0]]], r"in pool 0, expected one of 0\."),
        ({"raw": b"abc"}, [0, 0], "3 bytes is truncated, expected 4"),
        ({"raw": b"abcde"}, [0, 0], "1 bytes follow the expected 4"),
        ({"raw": b"abcd", "zlib-9": zlib.compress(b"e")}, [0, 0], "more than the expected 0"),
        ({"zlib-9": b"abcd"}, [0, 0], "zlib stream is damaged"),
        ({"lzw": b"abcd"}, [0, 0], "Unknown codec 'lzw'"),
        ({"raw": b"abcd"}, [0, "x"], "sequence of 2 bytes is described by 'x'"),
        ({"raw": b"abc"}, [0, [2, [0], 0, 3, 0]], "3 of 2 bytes are escapes"),
        ({"raw": b"ab\0c"}, [0, [2, [0], 0, 1, 0]], "0 of 2 bytes are escapes, expected 1"),
    ],
)
def test_streams_that_do_not_hold_exactly_the_sequences_are_refused(streams, trees, message):
    with pytest.raises(ValueError, match=message):
        list(pools.empty(streams, trees, lengths=[2, 2]))


def test_streams_and_trees_are_checked_before_any_sequence_is_asked_for():
    with pytest.raises(ValueError, match=r"in pool 1, expected one of 1\."):
        pools.empty({"raw": b"abcd"}, [0, 1], lengths=[2, 2])


def test_unknown_codecs_are_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"Unknown codec 'lzw', expected one of 7z, .*zlib-9"):
        pools.fill(_three(), ["lzw"])
