"""Sizes of encoded images inside a graph, from their headers: known before memory is taken."""

from __future__ import annotations

import tensorflow as tf

from ss_tf.data import image_files

# As predict.py. Of a JPEG, only the part that is shown is decoded, shrunk.
MAX_JPEG_PIXELS = image_files.MAX_PIXELS
# Others are decoded whole, and take up to 15 bytes a pixel on their way (PNG).
MAX_OTHER_PIXELS = 2**25
# What is looked at of all but JPEG and GIF, whose sizes stand further back.
_HEADER_BYTES = 32
# Of a GIF's first frame, at most 25 MB.
_MAX_GIF_BLOCKS = 100_000
# Where a walk through a GIF is: between blocks, in those of an extension, in those of the first
# frame, behind it, or nowhere.
_BETWEEN, _IN_EXTENSION, _IN_FRAME, _DONE, _LOST = range(5)


def checked(encoded: tf.Tensor) -> tf.Tensor:
    """Returns an encoded image that is small enough to decode; of a GIF, its first frame alone.

    Args:
      encoded: string scalar, a JPEG, PNG, GIF, BMP or WebP file.

    Raises:
      tf.errors.InvalidArgumentError: as it runs, if its size cannot be read, or is none, or more
        than MAX_JPEG_PIXELS or MAX_OTHER_PIXELS.
    """
    is_jpeg = tf.io.is_jpeg(encoded)
    limit = tf.where(is_jpeg, MAX_JPEG_PIXELS, MAX_OTHER_PIXELS)
    encoded, size = tf.cond(
        is_jpeg,
        lambda: (encoded, tf.cast(tf.io.extract_jpeg_shape(encoded)[:2], tf.int64)),
        lambda: tf.cond(
            tf.strings.substr(encoded, 0, 4) == b"GIF8",
            lambda: _first_frame(encoded),
            lambda: (encoded, _size_of_others(encoded)),
        ),
    )
    height, width = tf.unstack(size)
    limit = tf.cast(limit, tf.int64)
    # Not the product, which may be too much for an int64.
    is_small = (height > 0) & (width > 0) & (height <= limit // tf.maximum(width, 1))
    told = tf.strings.format(
        "an image has {} x {} pixels (0 x 0: no size that can be read), expected 1 to {} in all",
        (width, height, limit),
    )
    # The decoders have to wait, which as such depend on nothing but the bytes.
    with tf.control_dependencies([tf.debugging.Assert(is_small, [told])]):
        return tf.identity(encoded)


def _size_of_others(encoded: tf.Tensor) -> tf.Tensor:
    """Returns height and width of a PNG, BMP or WebP file, int64; 0, 0 of what is none."""
    padded = tf.strings.substr(encoded, 0, _HEADER_BYTES) + bytes(_HEADER_BYTES)
    head = tf.strings.substr(padded, 0, _HEADER_BYTES)
    data = tf.cast(tf.io.decode_raw(head, tf.uint8), tf.int64)

    def has(text: bytes, start: int) -> tf.Tensor:
        return tf.strings.substr(head, start, len(text)) == text

    def little(start: int, count: int) -> tf.Tensor:
        return tf.reduce_sum(data[start : start + count] * [256**n for n in range(count)])

    def big(start: int) -> tf.Tensor:
        return tf.reduce_sum(data[start : start + 4] * [256**n for n in (3, 2, 1, 0)])

    def signed(start: int) -> tf.Tensor:
        # A negative height stands for rows from the top.
        value = little(start, 4)
        return tf.minimum(value, 2**32 - value)

    webp = has(b"RIFF", 0) & has(b"WEBP", 8)
    bits = little(21, 4)
    by_format = [
        (has(b"\x89PNG\r\n\x1a\n", 0) & has(b"IHDR", 12), big(20), big(16)),
        (has(b"BM", 0), signed(22), signed(18)),
        (
            webp & has(b"VP8 ", 12) & has(b"\x9d\x01\x2a", 23),
            little(28, 2) & 0x3FFF,
            little(26, 2) & 0x3FFF,
        ),
        (webp & has(b"VP8L", 12), ((bits // 2**14) & 0x3FFF) + 1, (bits & 0x3FFF) + 1),
        (webp & has(b"VP8X", 12), little(27, 3) + 1, little(24, 3) + 1),
    ]
    sizes = [tf.where(is_it, tf.stack([height, width]), 0) for is_it, height, width in by_format]
    return tf.add_n(sizes)


def _first_frame(encoded: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Cuts a GIF behind its first frame; returns it, and that frame's height and width, int64.

    TensorFlow decodes all frames, to return one. And it is the frame's own size that counts for it,
    not the one in the file's header.
    """
    length = tf.strings.length(encoded)
    # Whoever looks behind the end finds zeros.
    data = tf.cast(tf.io.decode_raw(encoded + bytes(_HEADER_BYTES), tf.uint8), tf.int32)

    def table_bytes(flags: tf.Tensor) -> tf.Tensor:
        return tf.where(flags & 0x80 > 0, 6 * 2 ** (flags & 7), 0)

    def step(at, state, frame):
        value = data[at]
        is_between, in_blocks = state == _BETWEEN, (state == _IN_EXTENSION) | (state == _IN_FRAME)
        begins_frame = is_between & (value == 0x2C)
        begins_extension = is_between & (value == 0x21)
        ended = tf.where(state == _IN_FRAME, _DONE, _BETWEEN)
        begun = tf.where(begins_frame, _IN_FRAME, tf.where(begins_extension, _IN_EXTENSION, _LOST))
        following = tf.where(in_blocks, tf.where(value == 0, ended, state), begun)
        # A frame has ten bytes, colours, and one byte more in front of its blocks.
        local = table_bytes(data[tf.minimum(at + 9, length)])
        skipped = tf.where(in_blocks, 1 + value, tf.where(begins_frame, 11 + local, 2))
        frame = tf.where(begins_frame, at, frame)
        at += skipped
        # The last byte is the terminator's.
        return tf.minimum(at, length), tf.where(at > length, _LOST, following), frame

    start = tf.minimum(13 + table_bytes(data[10]), length)
    end, state, frame = tf.while_loop(
        lambda at, state, frame: state < _DONE,
        step,
        (start, tf.constant(_BETWEEN), tf.constant(0)),
        parallel_iterations=1,
        maximum_iterations=_MAX_GIF_BLOCKS,
    )
    width, height = (data[frame + n] + 256 * data[frame + n + 1] for n in (5, 7))
    size = tf.cast(tf.where(state == _DONE, tf.stack([height, width]), 0), tf.int64)
    return tf.strings.substr(encoded, 0, end) + b";", size
