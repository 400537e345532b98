import dataclasses

import numpy as np
import pytest

from ss_tf.edge import delta_layout


def test_header_is_read_as_written(delta):
    header = delta_layout.read(delta)
    streams = [bytes(group.stream) for group in header.groups]
    assert delta_layout.write(header, streams) == delta


def test_newer_version_says_what_to_do(delta):
    newer = delta[:8] + b"\x02" + delta[9:]
    with pytest.raises(ValueError, match="version 2, expected 1: update ss_tf"):
        delta_layout.read(newer)


def test_bytes_after_the_end_are_refused(delta):
    with pytest.raises(ValueError, match="3 bytes follow"):
        delta_layout.read(delta + b"abc")


def test_sizes_beyond_the_network_are_refused_before_inflating(delta):
    header = delta_layout.read(delta)
    for change in ({"packed_bytes": 7501}, {"num_ranges": 0}, {"num_exceptions": 7501}):
        group = dataclasses.replace(header.groups[0], **change)
        damaged = dataclasses.replace(header, groups=(group,))
        with pytest.raises(ValueError, match="sizes in it are out of range"):
            delta_layout.read(delta_layout.write(damaged, [b""]))


def test_every_range_begins_a_new_packed_byte():
    lengths = np.array([1, 4, 5])
    np.testing.assert_array_equal(delta_layout.packed_bytes(lengths, 2), [1, 1, 2])
    np.testing.assert_array_equal(delta_layout.packed_bytes(lengths, 4), [1, 2, 3])
    np.testing.assert_array_equal(delta_layout.packed_bytes(lengths, 8), lengths)


def test_planes_are_the_bytes_of_words():
    words = np.array([0x01020304, 0xFFFFFFFE], np.uint32)
    planes = np.concatenate(delta_layout.to_planes(words))
    np.testing.assert_array_equal(planes, [4, 0xFE, 3, 0xFF, 2, 0xFF, 1, 0xFF])
    np.testing.assert_array_equal(delta_layout.from_planes(planes), words)
