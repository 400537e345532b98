import hashlib
import struct
import zlib

import numpy as np
import pytest

from ss_tf.edge import diff, patch


@pytest.mark.parametrize("num_threads", [1, 3])
def test_patched_base_is_the_sub_network_byte_for_byte(base, sub, delta, num_threads):
    before = bytes(bytearray(base))
    assert patch.apply(base, delta, num_threads=num_threads) == sub
    assert base == before


def test_format_is_as_documented():
    """A delta written by hand, from docs/edge_format.md alone."""
    base, sub = bytes(range(16)), bytearray(range(16))
    # Fields of step 5 from byte 2 on: 1, 0, -1, 2 and an exception that adds 100 at the fifth.
    for place, difference in zip(range(2, 7), (5, 0, -5, 10, 100), strict=True):
        sub[place] = (sub[place] + difference) % 256
    stream = struct.pack("<IIB", 2, 5, 5) + bytes([4, 0, 0, 0]) + bytes([100])
    # Both packed bytes say something: two bits of a mask.
    stream += bytes([0b11, 2 | 1 << 2 | 0 << 4 | 3 << 6, 1])
    # The word 0x0b0a0908 is two less: folded, 3.
    struct.pack_into("<I", sub, 8, 0x0B0A0908 - 2)
    words = struct.pack("<IIB", 8, 4, 1) + bytes([3, 0, 0, 0])
    streams = [zlib.compress(data) for data in (stream, words)]
    digests = [hashlib.sha256(data).digest() for data in (base, sub)]
    delta = struct.pack("<8sIIII32s32s", b"SSTFDELT", 1, 2, 16, 0, *digests)
    delta += struct.pack("<B3xIIII", 2, 1, 1, 3, len(streams[0]))
    delta += struct.pack("<B3xIIII", 32, 1, 0, 4, len(streams[1]))
    assert patch.apply(base, delta + b"".join(streams)) == bytes(sub)


def test_another_base_is_refused(base, delta):
    with pytest.raises(ValueError, match="is of another bundle"):
        patch.apply(base[::-1], delta)
    with pytest.raises(ValueError, match=r"of 7500 bytes, expected .* of 7499 bytes"):
        patch.apply_unchecked(base[:-1], delta, base_sha256=hashlib.sha256(base).digest())


def test_result_of_another_digest_is_refused(base, delta):
    damaged = bytearray(delta)
    damaged[56] ^= 1
    with pytest.raises(ValueError, match="has another SHA-256"):
        patch.apply(base, bytes(damaged))


def test_last_check_is_left_to_who_asks_for_that(base, sub, delta):
    damaged = bytearray(delta)
    damaged[56] ^= 1
    assert patch.apply_unchecked(base, bytes(damaged)) == sub
    assert patch.result_sha256(delta) == hashlib.sha256(sub).digest()


def _float_bits(number):
    return int.from_bytes(struct.pack("<f", number), "little")


def _products_delta(base, sub, packed, *, offset=12, length=8):
    """Returns a delta with one range of products, written from docs/edge_format.md alone."""
    streams = [zlib.compress(struct.pack("<IIB", offset, length, 0) + packed)]
    digests = [hashlib.sha256(data).digest() for data in (base, sub)]
    header = struct.pack("<8sIIII32s32s", b"SSTFDELT", 1, 1, len(base), 0, *digests)
    return header + struct.pack("<B3xIIII", 64, 1, 0, len(packed), len(streams[0])) + streams[0]


def test_products_are_as_documented():
    base = struct.pack("<5f", 0.1, 3.0, 0.7, 0.0, 0.0)
    # By doubles: their product has every bit, and is then rounded once.
    exact = [struct.unpack("<f", struct.pack("<f", x))[0] for x in (0.1, 3.0, 0.7)]
    words = [_float_bits(exact[0] * exact[1]), _float_bits(exact[0] * exact[2]) - 1]
    sub = base[:12] + struct.pack("<2I", *words)
    # Factor at 0, others from 4 on; the second word is one less: folded, 1.
    packed = struct.pack("<II", 0, 4) + bytes([0, 1, *[0] * 6])
    assert patch.apply(base, _products_delta(base, sub, packed)) == sub


@pytest.mark.parametrize(("factor", "source"), [(17, 4), (0, 13), (2**32 - 1, 0)])
def test_factors_outside_are_refused(factor, source):
    packed = struct.pack("<II", factor, source) + bytes(8)
    with pytest.raises(ValueError, match="factors lie outside the network"):
        patch.apply(bytes(20), _products_delta(bytes(20), bytes(20), packed))


@pytest.mark.parametrize("num_threads", [1, 2])
def test_products_are_of_what_other_groups_gave(num_threads):
    rng = np.random.default_rng(0)
    regions = [diff.Region(0, 400, True), diff.Region(400, 396, True, (0, 4))]

    def draw():
        scales = rng.uniform(0.001, 0.1, 100).astype("<f4")
        # As the converter has them: doubles times doubles, rounded afterwards.
        products = scales[0] * 1.00000002 * scales[1:].astype(np.float64)
        return scales.tobytes() + products.astype("<f4").tobytes()

    base, sub = draw(), draw()
    delta = diff.make(base, sub, regions)
    assert delta[88 + 20] == 64
    assert patch.apply(base, delta, num_threads=num_threads) == sub


@pytest.mark.parametrize(
    ("bits", "values"),
    [(2, [0] * 30 + [1, 255, 2]), (4, [0] * 12 + [1, 2, 3, 253, 254, 255]), (8, range(256))],
)
@pytest.mark.parametrize("length", [3000, 3001, 3002, 3003, 1 << 17, (1 << 18) + 3])
def test_fields_end_anywhere(bits, values, length):
    """The last packed byte of a range is of as many bytes as are left, changed or not."""
    rng = np.random.default_rng(length)
    base = rng.integers(0, 256, length + 5).astype(np.uint8)
    for last in (0, 1):
        units = rng.choice(values, length)
        units[-3:] = last
        sub = base.copy()
        sub[3 : 3 + length] += (11 * units % 256).astype(np.uint8)
        delta = diff.make(base.tobytes(), sub.tobytes(), [diff.Region(3, length, False)])
        assert delta[88] == bits
        assert patch.apply(base.tobytes(), delta) == sub.tobytes()


def test_masks_that_do_not_fit_are_refused():
    """A range of 20 bytes in two bits has five packed bytes, of which a mask tells."""
    base = bytes(20)
    for packed in (b"", b"\x21\x00", b"\x21\x00\x00\x00", b"\x01", b"\x00\x00"):
        stream = zlib.compress(struct.pack("<IIB", 0, 20, 1) + packed)
        digests = hashlib.sha256(base).digest(), bytes(32)
        delta = struct.pack("<8sIIII32s32s", b"SSTFDELT", 1, 1, 20, 0, *digests)
        delta += struct.pack("<B3xIIII", 2, 1, 0, len(packed), len(stream)) + stream
        with pytest.raises(ValueError, match="ranges take other sizes"):
            patch.apply(base, delta)


def test_any_damage_is_one_clear_line(base, delta):
    """Every byte of the header, and some of the streams, changed in turn."""
    rng = np.random.default_rng(0)
    places = [*range(88 + 4 * 20), *rng.integers(168, len(delta), 200).tolist()]
    for place in places:
        damaged = bytearray(delta)
        damaged[place] ^= int(rng.integers(1, 256))
        with pytest.raises(ValueError, match=r"\A(The delta|It is no delta|\d+ bytes).*\.\Z"):
            patch.apply(base, bytes(damaged))


@pytest.mark.parametrize("length", [0, 7, 87, 88, 100, 167, 168, 400])
def test_cut_files_are_refused(base, delta, length):
    with pytest.raises(ValueError, match=r"cut|damaged|no delta"):
        patch.apply(base, delta[:length])


def test_streams_may_lie_about_their_contents_without_harm(base):
    """Ranges, exceptions and fields that do not fit: drawn at random, inside whole streams."""
    rng = np.random.default_rng(2)
    digest = hashlib.sha256(base).digest()
    for _ in range(400):
        bits = int(rng.choice([2, 4, 8, 32, 64]))
        ranges, exceptions, packed = (int(n) for n in rng.integers(0, 4, 3))
        data = rng.integers(0, 256, 9 * ranges + 5 * exceptions + packed).astype(np.uint8)
        data[rng.random(data.size) < 0.7] = 0
        stream = zlib.compress(data.tobytes())
        delta = struct.pack("<8sIIII32s32s", b"SSTFDELT", 1, 1, len(base), 0, digest, bytes(32))
        delta += struct.pack("<B3xIIII", bits, ranges, exceptions, packed, len(stream))
        with pytest.raises(ValueError, match=r"^The delta"):
            patch.apply(base, delta + stream)


def test_stream_that_inflates_to_more_is_stopped(base):
    digest = hashlib.sha256(base).digest()
    bomb = zlib.compress(bytes(1 << 26), 9)
    delta = struct.pack("<8sIIII32s32s", b"SSTFDELT", 1, 1, len(base), 0, digest, bytes(32))
    delta += struct.pack("<B3xIIII", 8, 1, 0, 1, len(bomb))
    with pytest.raises(ValueError, match="does not hold 10 bytes"):
        patch.apply(base, delta + bomb)


def test_regions_of_any_length_and_place(base):
    rng = np.random.default_rng(3)
    for _ in range(30):
        ends = np.unique(rng.integers(0, len(base), 12)).tolist()
        regions = [
            diff.Region(start, end - start, False)
            for start, end in zip(ends[::2], ends[1::2], strict=False)
        ]
        sub = np.frombuffer(base, np.uint8).copy()
        for region in regions:
            step, units = rng.integers(1, 60), rng.integers(-2, 4, region.length)
            sub[region.offset : region.offset + region.length] += (step * units).astype(np.uint8)
        delta = diff.make(base, sub.tobytes(), regions)
        assert patch.apply(base, delta) == sub.tobytes()
