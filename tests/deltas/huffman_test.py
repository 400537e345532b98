import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ss_tf.deltas import huffman


def _laplace(size, spread, *, seed=0):
    residuals = np.rint(np.random.default_rng(seed).laplace(0, spread, size))
    return residuals.astype(np.int8).view(np.uint8)


def _counts(**by_symbol):
    counts = np.zeros(256, np.int64)
    counts[: len(by_symbol)] = list(by_symbol.values())
    return counts


def _code_bits(counts):
    """Huffman's algorithm as in a textbook: the sum of count times length of code."""
    totals = dict(enumerate(count for count in counts if count))
    groups = [(count, {place: 0}) for place, count in totals.items()]
    while len(groups) > 1:
        groups.sort(key=lambda group: group[0])
        (one, depths), (other, more) = groups[:2]
        joined = {place: depth + 1 for place, depth in (depths | more).items()}
        groups[:2] = [(one + other, joined)]
    ((_, depths),) = groups
    return sum(totals[place] * max(depth, 1) for place, depth in depths.items())


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=2000), st.lists(st.integers(0, 2000), max_size=4))
def test_streams_are_ordinary_zlib_whatever_the_bounds(data, bounds):
    bounds = sorted(min(bound, len(data)) for bound in bounds)
    stream = huffman.compress(np.frombuffer(data, np.uint8), bounds)
    assert zlib.decompress(stream) == data


def test_long_streams_are_ordinary_zlib():
    data = np.concatenate([_laplace(70_001, 0.5), _laplace(70_000, 20)])
    assert zlib.decompress(huffman.compress(data, [70_001])) == data.tobytes()


def test_estimate_is_near_what_compress_takes():
    for data in (
        _laplace(100_000, 0.4),
        _laplace(100_000, 5),
        _laplace(3_000, 2),
        np.concatenate([_laplace(50_000, 0.3), _laplace(30_000, 9)]),
        np.random.default_rng(0).integers(0, 256, 50_000, np.uint8),
    ):
        assert huffman.estimate(data) == pytest.approx(len(huffman.compress(data)), rel=0.02)


def test_new_tables_pay_where_the_spread_changes():
    data = np.concatenate([_laplace(3_000, spread) for spread in [0.3, 12] * 10])
    one_table = zlib.compressobj(level=9, memLevel=9, strategy=zlib.Z_HUFFMAN_ONLY)
    expected = len(one_table.compress(data.tobytes()) + one_table.flush())
    assert len(huffman.compress(data, range(3_000, data.size, 3_000))) < 0.9 * expected


@pytest.mark.parametrize("bound", [9_001, 10_000])
def test_blocks_end_at_a_bound_where_the_statistics_change(bound):
    data = np.concatenate([_laplace(bound, 0.3), _laplace(20_000 - bound, 20)])
    assert huffman.split(data, [bound]) == [bound, 20_000]


def test_one_table_serves_equal_statistics_across_bounds():
    assert huffman.split(_laplace(20_000, 2), [5_000, 5_000, 12_345]) == [20_000]


def test_empty_sequence_has_no_blocks():
    empty = np.zeros(0, np.uint8)
    assert huffman.split(empty) == huffman.split(empty, [0]) == []
    assert huffman.estimate(empty) == 0


def _slow_split(data, ends, cost):
    """Joins the pair of neighbours that saves most, all recomputed every time."""
    while True:
        starts = [0, *ends]
        costs = [cost(data[start:end]) for start, end in zip(starts, ends, strict=False)]
        savings = [
            costs[i] + costs[i + 1] - cost(data[starts[i] : ends[i + 1]])
            for i in range(len(ends) - 1)
        ]
        if not savings or max(savings) <= 0:
            return ends
        ends = [*ends]
        del ends[savings.index(max(savings))]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=2, max_size=8), st.integers(0, 99))
def test_pairs_that_save_most_are_joined_first(spreads, seed):
    pieces = [_laplace(300, 2.0**spread, seed=seed + i) for i, spread in enumerate(spreads)]
    data = np.concatenate(pieces)
    bounds = list(range(300, data.size + 1, 300))

    # Whole numbers, so that both ways add up to the same.
    def cost(counts):
        return 30 + int(huffman.roughly_code_bytes(counts))

    expected = _slow_split(data, bounds, lambda block: cost(np.bincount(block, minlength=256)))
    assert huffman.split(data, bounds, cost=cost) == expected


@pytest.mark.parametrize(("most", "expected"), [(1, 1), (10, 9), (1024, 146)])
def test_number_of_pieces_is_bounded(most, expected):
    # Joining two costs more than it saves, so all pieces are left: of 30000 bytes for 10, of 2048
    # at least, and the last of up to twice as much.
    ends = huffman.split(
        np.zeros(300_000, np.uint8), most_pieces=most, cost=lambda counts: float(counts.sum()) ** 2
    )
    assert ends[-1] == 300_000
    assert len(ends) == expected


def test_code_bytes_agree_with_hand_arithmetic():
    # Codes of 1, 2, 3 and 3 bits: 400 + 400 + 300 + 300 = 1400 bits are 175 bytes. The block itself
    # takes 12, and 0.45 per symbol.
    counts = _counts(a=400, b=200, c=100, d=100)
    assert huffman.code_bytes(counts) == pytest.approx(175 + 12 + 4 * 0.45)
    # No code is shorter than a bit.
    assert huffman.code_bytes(_counts(a=800)) == pytest.approx(100 + 12 + 0.45)


def test_blocks_that_do_not_shrink_are_stored():
    assert huffman.code_bytes(np.ones(256, np.int64)) == 5 + 256
    assert huffman.roughly_code_bytes(np.ones(256, np.int64)) == 5 + 256


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 5000), min_size=2, max_size=40).filter(lambda n: sum(n) > 2000))
def test_code_bytes_are_those_of_huffmans_algorithm(weights):
    counts = np.zeros(256, np.int64)
    counts[: len(weights)] = weights
    used = np.count_nonzero(counts)
    expected = min(12 + 0.45 * used + _code_bits(weights) / 8, 5 + sum(weights))
    assert huffman.code_bytes(counts) == pytest.approx(expected)


@pytest.mark.parametrize("spread", [0.15, 0.3, 0.5, 1, 2, 8, 30])
def test_rough_code_bytes_are_within_four_percent(spread):
    counts = np.bincount(_laplace(40_000, spread), minlength=256)
    exact = huffman.code_bytes(counts)
    assert huffman.roughly_code_bytes(counts) == pytest.approx(exact, rel=0.04)


def test_counts_keep_their_values():
    counts = _counts(a=5, b=3, c=1)
    huffman.code_bytes(counts)
    huffman.roughly_code_bytes(counts)
    np.testing.assert_array_equal(counts, _counts(a=5, b=3, c=1))
