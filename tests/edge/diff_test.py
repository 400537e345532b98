import zlib

import numpy as np
import pytest

from ss_tf.deltas import huffman
from ss_tf.edge import delta_layout, diff, patch


def test_each_region_is_packed_the_way_that_suits_it(delta):
    header = delta_layout.read(delta)
    assert [(group.bits, group.num_ranges) for group in header.groups] == [
        (2, 1),
        (4, 1),
        (8, 1),
        (32, 1),
    ]


def test_delta_is_near_the_entropy(delta, base, sub, regions):
    bits = 0.0
    for region in regions:
        place = slice(region.offset, region.offset + region.length)
        before, after = (np.frombuffer(data, np.uint8)[place] for data in (base, sub))
        counts = np.unique(after - before, return_counts=True)[1]
        bits += (counts * np.log2(counts.sum() / counts)).sum()
    # Tables of a few thousand bytes weigh; a group and its tables take about 100 bytes.
    assert len(delta) < 1.1 * bits / 8 + 4 * 100


def test_equal_networks_make_a_delta_without_groups(base, regions):
    delta = diff.make(base, base, regions)
    assert len(delta) == 88
    assert patch.apply(base, delta) == base


def test_minus_two_steps_are_a_field_where_they_are_frequent(base):
    sub = np.frombuffer(base, np.uint8).copy()
    sub[:4000] += np.random.default_rng(0).choice([0, 246, 5, 251], 4000).astype(np.uint8)
    delta = diff.make(base, sub.tobytes(), [diff.Region(0, 4000, False)])
    (group,) = delta_layout.read(delta).groups
    assert (group.bits, group.num_exceptions) == (2, 0)
    assert patch.apply(base, delta) == sub.tobytes()


def test_sparse_regions_beside_dense_ones_take_less_than_either_plain_way():
    """Huffman codes take a bit for a byte at least; one table for both regions suits neither."""
    rng, base = np.random.default_rng(0), bytes(120_000)
    sparse = rng.choice([0, 7, 249], 80_000, p=[0.98, 0.01, 0.01])
    dense = rng.choice([0, 9, 247], 40_000)
    sub = np.concatenate([sparse, dense]).astype(np.uint8).tobytes()
    regions = [diff.Region(0, 80_000, False), diff.Region(80_000, 40_000, False)]
    delta = diff.make(base, sub, regions)
    (group,) = delta_layout.read(delta).groups
    data, ends = delta_layout.write_stream(delta_layout.read_stream(group, network_bytes=120_000))
    plain = min(len(huffman.compress(data, ends)), len(zlib.compress(data, 9)))
    assert len(group.stream) < 0.97 * plain
    assert patch.apply(base, delta) == sub


def test_large_networks_make_several_groups_for_threads():
    base = bytes(6 << 20)
    sub = np.random.default_rng(0).choice([0, 0, 0, 1, 255], 6 << 20).astype(np.uint8).tobytes()
    regions = [diff.Region(start << 20, 1 << 20, False) for start in range(6)]
    delta = diff.make(base, sub, regions)
    assert len(delta_layout.read(delta).groups) == 3
    assert patch.apply(base, delta, num_threads=2) == sub


def test_differences_elsewhere_are_refused(base, sub, regions):
    with pytest.raises(ValueError, match="differ outside the regions"):
        diff.make(base, sub, regions[1:])
    with pytest.raises(ValueError, match="7500 and 7501 bytes"):
        diff.make(base, sub + b"x", regions)
