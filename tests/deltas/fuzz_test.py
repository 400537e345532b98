"""Damaged and forged bank files are refused in one line, or restore the exact network."""

import json
import tracemalloc
import zlib

import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from ss_tf.deltas import bank
from ss_tf.deltas import entry as entries
from ss_tf.models import integer_network

# Files, networks and headers here have some kB.
_MOST_BYTES = 20_000_000
_EDITS = st.lists(
    st.tuples(
        st.sampled_from(["flip", "cut", "insert", "double", "truncate"]),
        st.integers(0, 1 << 16),
        st.binary(min_size=1, max_size=6),
    ),
    min_size=1,
    max_size=3,
)
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 300)
    | st.sampled_from([2**31, 2**63, -(2**64), 10**400, 0.5, float("nan"), float("-inf")])
    | st.text(max_size=3)
    | st.sampled_from(["raw", "zstd", "zlib-9", "7z", "range", "\ud800", "../x"]),
    lambda parts: st.lists(parts, max_size=5) | st.dictionaries(st.text(max_size=2), parts),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def networks(make_network, make_near):
    base = make_network(0, num_classes=3)
    return base, make_near(base, 1, num_classes=5)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("bank") / "bird.safetensors"


@pytest.fixture(scope="module")
def streams(codec, path, networks):
    """Returns the streams of a real entry with each of the codecs."""
    return _written(path, networks, codec_names=(codec,))


@pytest.fixture(scope="module")
def usual_streams(path, networks):
    """Returns the streams of a real entry with the usual codecs."""
    return _written(path, networks, codec_names=entries.DEFAULT_CODECS)


def _written(path, networks, *, codec_names):
    base, sub = networks
    bank.write_entry(path.parent, "bird", base=base, sub=sub, codec_names=codec_names)
    tensors = safetensors.numpy.load_file(path)
    return {name: tensor.tobytes() for name, tensor in tensors.items()}


def _edited(data, edits):
    for kind, place, few in edits:
        place %= len(data) + 1
        before, after = data[:place], data[place:]
        flipped = bytes(one ^ other for one, other in zip(after, few, strict=False))
        data = {
            "flip": before + flipped + after[len(few) :],
            "cut": before + after[len(few) :],
            "insert": before + few + after,
            "double": before + after[: 8 * len(few)] + after,
            "truncate": before,
        }[kind]
    return data


def _check(path, networks):
    """Reads the file: a refusal names it in one line, or the network is the one stored."""
    base, sub = networks
    restored, refusal = None, f"{path}"
    tracemalloc.start()
    try:
        restored = bank.read_entry(path.parent, "bird", base=base)
        assert integer_network.digest(restored) == integer_network.digest(sub)
    except ValueError as error:
        refusal = str(error)
    finally:
        peak_bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert str(path) in refusal
    assert "\n" not in refusal
    assert peak_bytes < _MOST_BYTES
    return restored


@settings(max_examples=15, deadline=None)
@given(edits=_EDITS)
def test_edited_files(edits, path, networks, forge, streams, assert_same_network):
    forge(path, streams)
    path.write_bytes(_edited(path.read_bytes(), edits))
    restored = _check(path, networks)
    if restored is not None:
        assert_same_network(restored, networks[1])


@settings(max_examples=15, deadline=None)
@given(edits=_EDITS, number=st.integers(0, 9))
def test_edited_streams_with_the_digest_of_the_edited(
    edits, number, path, networks, forge, streams
):
    name = sorted(streams)[number % len(streams)]
    forge(path, {**streams, name: _edited(streams[name], edits)})
    _check(path, networks)


@settings(max_examples=30, deadline=None)
@given(edits=_EDITS)
def test_edited_header_texts(edits, path, networks, forge, usual_streams):
    text = _edited(zlib.decompress(usual_streams["header"]), edits)
    forge(path, {**usual_streams, "header": zlib.compress(text)})
    _check(path, networks)


@settings(max_examples=30, deadline=None)
@given(steps=st.lists(st.integers(0, 20), max_size=6), value=_VALUES)
def test_headers_with_any_value_anywhere(steps, value, path, networks, forge, usual_streams):
    fields = json.loads(zlib.decompress(usual_streams["header"]))
    forged = _with(fields, steps, value)
    forge(path, {**usual_streams, "header": zlib.compress(json.dumps(forged).encode())})
    _check(path, networks)


@settings(max_examples=30, deadline=None)
@given(metadata=_VALUES | st.binary(max_size=30).map(lambda data: data.decode("latin-1")))
def test_any_metadata_of_a_file(metadata, path, networks, forge, usual_streams):
    forge(path, usual_streams, bank_format=metadata, digest=metadata)
    _check(path, networks)


def _with(part, steps, value):
    """Returns a copy of JSON data with one part replaced, the one that the steps lead to."""
    if not steps or not isinstance(part, list | dict) or not part:
        return value
    keys = sorted(part) if isinstance(part, dict) else range(len(part))
    key = keys[steps[0] % len(keys)]
    copied = part.copy()
    copied[key] = _with(part[key], steps[1:], value)
    return copied
