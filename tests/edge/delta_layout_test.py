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
    for change in ({"packed_bytes": 8439}, {"num_ranges": 0}, {"num_exceptions": 7501}):
        group = dataclasses.replace(header.groups[0], **change)
        damaged = dataclasses.replace(header, groups=(group,))
        with pytest.raises(ValueError, match="sizes in it are out of range"):
            delta_layout.read(delta_layout.write(damaged, [b""]))


def test_groups_of_products_come_last(delta):
    header = delta_layout.read(delta)
    words = header.groups[-1]
    products = dataclasses.replace(words, bits=delta_layout.PRODUCTS)
    streams = [bytes(words.stream)] * 2
    wrong = dataclasses.replace(header, groups=(products, words))
    with pytest.raises(ValueError, match="groups of products are not the last"):
        delta_layout.read(delta_layout.write(wrong, streams))
    right = dataclasses.replace(header, groups=(words, products))
    assert len(delta_layout.read(delta_layout.write(right, streams)).groups) == 2


def test_unknown_kinds_are_refused(delta):
    header = delta_layout.read(delta)
    unknown = dataclasses.replace(header, groups=(dataclasses.replace(header.groups[0], bits=3),))
    with pytest.raises(ValueError, match=r"kind 3, expected one of \(2, 4, 8, 32, 64\)"):
        delta_layout.read(delta_layout.write(unknown, [b""]))


def test_every_range_begins_a_new_packed_byte():
    lengths = np.array([1, 4, 5])
    np.testing.assert_array_equal(delta_layout.packed_bytes(lengths, 2), [1, 1, 2])
    np.testing.assert_array_equal(delta_layout.packed_bytes(lengths, 4), [1, 2, 3])
    np.testing.assert_array_equal(delta_layout.packed_bytes(lengths, 8), lengths)
    np.testing.assert_array_equal(delta_layout.packed_bytes(4 * lengths, 32), 4 * lengths)
    # Two places, and the words.
    np.testing.assert_array_equal(delta_layout.packed_bytes(4 * lengths, 64), [12, 24, 28])
