import dataclasses
import json
import tracemalloc
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ss_tf.deltas import entry as entries
from ss_tf.deltas import header
from ss_tf.deltas.float_planes import Form

POOLS = {"zlib-huffman": b"abc", "zlib-9": b""}
FIELDS = {
    "superclass": "ねこ",
    "base": "0" * 64,
    "network": "f" * 64,
    "metadata": {"subclasses": "[1]"},
    "num_classes": 3,
    "own_scales": ["conv1/kernel", "fc/kernel"],
    "kernels": [[None, 0], [[1, [0]], [2, [0], 0, 5, [1, [7]]]]],
    "head": 1,
    "forms": [[2, True], [4, False]],
    "planes": [0, 0, [1, [0]], 1],
    "pools": ["zlib-huffman", "zlib-9"],
}
TREES = st.recursive(
    st.integers(0, 2), lambda parts: st.tuples(st.just(2), st.just([0]), parts).map(list)
)
DIGESTS = st.binary(min_size=32, max_size=32).map(bytes.hex)
TEXTS = st.text(max_size=5)


def read(fields):
    return header.read(zlib.compress(json.dumps(fields).encode()), pools=POOLS)


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_read_undoes_write(data):
    entry = entries.Entry(
        superclass=data.draw(TEXTS),
        base=data.draw(DIGESTS),
        network=data.draw(DIGESTS),
        metadata=data.draw(st.dictionaries(TEXTS, TEXTS, max_size=2)),
        num_classes=data.draw(st.integers()),
        own_scales=sorted(data.draw(st.sets(TEXTS, max_size=3))),
        kernels=data.draw(st.lists(st.tuples(st.none() | TREES, TREES), max_size=3)),
        head=data.draw(TREES),
        forms=data.draw(st.lists(st.builds(Form, st.integers(1, 4), st.booleans()), max_size=3)),
        planes=data.draw(st.lists(TREES, min_size=4, max_size=4)),
        pools=POOLS,
    )
    restored = header.read(header.write(entry), pools=POOLS)
    assert restored == entry
    assert all(isinstance(form, Form) for form in restored.forms)


def test_the_header_is_zlib_of_sorted_json_without_the_streams():
    text = zlib.decompress(header.write(read(FIELDS))).decode()
    assert text == json.dumps(FIELDS, sort_keys=True, separators=(",", ":"))


def test_codecs_for_comparison_alone_are_refused_by_both_sides():
    entry = dataclasses.replace(read(FIELDS), pools={"7z": b""})
    with pytest.raises(ValueError, match="codec '7z', which no bank may have"):
        header.write(entry)
    data = zlib.compress(json.dumps({**FIELDS, "pools": ["7z"]}).encode())
    with pytest.raises(ValueError, match="codec '7z', which no bank may have"):
        header.read(data, pools={"7z": b""})


def test_streams_come_in_the_order_that_the_header_says():
    swapped = dict(reversed(POOLS.items()))
    for order in (list(POOLS), list(swapped)):
        data = zlib.compress(json.dumps({**FIELDS, "pools": order}).encode())
        for pools in (POOLS, swapped):
            assert list(header.read(data, pools=pools).pools.items()) == [
                (name, POOLS[name]) for name in order
            ]


_WRONG = {
    "superclass": [3, None, ["bird"]],
    "base": ["0" * 63, "0" * 65, "G" * 64, "0" * 64 + "\n", "٣" * 64, 0, None],
    "network": ["", "F" * 64, []],
    "metadata": [{"a": 1}, {"a": None}, [], None, "a"],
    "num_classes": [3.0, True, "3", None, [3], float("nan"), float("inf")],
    "own_scales": [["b", "a"], ["a", "a"], [1], [None], {}, "a", None],
    "kernels": [{}, None, 0, [0], [[0]], [[0, None]], [[0, 0, 0]], [[True, 0]], [["0", 0]]],
    "head": [None, 1.0, True, "0", {}, float("nan"), float("-inf")],
    "forms": [[[0, True]], [[5, True]], [[1, 0]], [[True, True]], [[1.0, True]], [[1]], [1], None],
    "planes": [[0, 0, 0], [0] * 5, [0, 0, 0, None], [0, 0, 0, 0.0], None, 0],
    "pools": ["raw", [1], None, {"zlib-9": 0}],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in _WRONG.items() for value in values]
)
def test_fields_of_wrong_types_or_ranges_are_refused_by_name(name, value):
    with pytest.raises(ValueError, match=rf"the header's '{name}' is not what it should be\.$"):
        read({**FIELDS, name: value})


@pytest.mark.parametrize("fields", [[], 3, None, "text", {}, {**FIELDS, "more": 1}])
def test_other_fields_are_refused(fields):
    with pytest.raises(ValueError, match="the header has other fields than"):
        read(fields)


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_is_needed(name):
    with pytest.raises(ValueError, match=f"the header has other fields than .*'{name}'"):
        read({key: value for key, value in FIELDS.items() if key != name})


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"\xff\xfe\xff",
        b'{"num_classes": }',
        b"[" * 100_000,  # Deeper than Python goes.
        b'{"a":' * 100_000,
        b"9" * 5000,  # More digits than Python converts.
    ],
)
def test_what_is_not_json_is_refused(text):
    with pytest.raises(ValueError, match=r"^the header is not JSON \(\w+\)\.$"):
        header.read(zlib.compress(text), pools=POOLS)


@pytest.mark.parametrize("order", [[], ["zlib-9"], ["zlib-9", "raw"], ["zlib-9"] * 2])
def test_other_streams_than_the_header_names_are_refused(order):
    with pytest.raises(ValueError, match=r"streams \['zlib-9', 'zlib-huffman'\], expected those"):
        read({**FIELDS, "pools": order})


def test_cut_longer_and_damaged_headers_are_refused():
    whole = header.write(read(FIELDS))
    for length in range(len(whole)):
        with pytest.raises(ValueError, match="the header is cut"):
            header.read(whole[:length], pools=POOLS)
    with pytest.raises(ValueError, match="followed by bytes"):
        header.read(whole + b"\n", pools=POOLS)
    with pytest.raises(ValueError, match=r"the header is damaged: .*incorrect header check"):
        header.read(b"\0" + whole[1:], pools=POOLS)
    with pytest.raises(ValueError, match=r"the header is damaged: .*incorrect data check"):
        header.read(whole[:-1] + bytes([whole[-1] ^ 1]), pools=POOLS)


def test_bombs_are_refused_before_they_take_memory():
    bomb = zlib.compress(b" " * 20_000_000)
    tracemalloc.start()
    with pytest.raises(ValueError, match="over 2097152 bytes"):
        header.read(bomb, pools=POOLS)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 8_000_000


def test_write_refuses_what_read_would():
    def sized(num_bytes):
        return dataclasses.replace(read(FIELDS), metadata={"subclasses": "x" * num_bytes})

    room = (1 << 21) - len(zlib.decompress(header.write(sized(0))))
    assert header.read(header.write(sized(room)), pools=POOLS) == sized(room)
    with pytest.raises(ValueError, match="has 2097153 bytes, expected at most 2097152"):
        header.write(sized(room + 1))
