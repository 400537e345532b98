"""docs/BANK_FORMAT.md is true: its reader reads, and its example is in the golden bank."""

import pathlib
import re
import struct
import zlib

import numpy as np
import pytest

from ss_tf.deltas import bank

_PAGE = pathlib.Path(__file__).parents[2] / "docs" / "BANK_FORMAT.md"
_GOLDEN = pathlib.Path(__file__).parent / "golden"
_CATS = _GOLDEN / "bank" / "cats.safetensors"


def _blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", _PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def reader():
    """Returns what the page's program defines."""
    (program,) = _blocks("python")
    packages = set(re.findall(r"^(?:import|from) (.*)$", program, re.MULTILINE))
    assert packages == {"hashlib, json, math, struct, zlib", "numpy as np"}
    names = {}
    exec(compile(program, _PAGE.name, "exec"), names)
    return names


@pytest.mark.parametrize("name", ["cats", "trucks"])
def test_its_reader_restores_the_golden_networks(reader, name):
    base, _ = reader["read_safetensors"](_GOLDEN / "base.safetensors")
    expected, expected_metadata = reader["read_safetensors"](_GOLDEN / f"{name}.safetensors")
    sub, metadata = reader["read_entry"](_GOLDEN / "bank" / f"{name}.safetensors", base)
    assert metadata == expected_metadata
    assert sub.keys() == expected.keys()
    for key, tensor in expected.items():
        assert sub[key].dtype == tensor.dtype
        assert sub[key].shape == tensor.shape
        assert sub[key].tobytes() == tensor.tobytes()


def test_its_reader_restores_what_is_written_today(reader, make_network, tmp_path):
    path = bank.write_entry(
        tmp_path, "dog", base=make_network(0, num_classes=3), sub=make_network(1, num_classes=9)
    )
    base, expected = (
        {
            f"{group}/{name}": tensor
            for group in ("kernels", "scales", "floats")
            for name, tensor in getattr(network, group).items()
        }
        for network in (make_network(0, num_classes=3), make_network(1, num_classes=9))
    )
    sub, _ = reader["read_entry"](path, base)
    for key, tensor in expected.items():
        np.testing.assert_array_equal(sub[key], tensor, strict=True)


def test_its_example_is_what_the_golden_file_holds():
    data = _CATS.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    page = _PAGE.read_text(encoding="utf-8")
    assert f"has {len(data)} bytes. Its first 8, `{data[:8].hex(' ')}`" in page
    assert f"say that {length} bytes of JSON" in page
    container, header = (re.sub(r"\n *", "", block) for block in _blocks("json"))
    assert container.encode() == data[8 : 8 + length].rstrip(b" ")
    assert header.encode() == zlib.decompress(data[8 + length : 8 + length + 281])


def test_its_table_of_leaves_is_what_the_stream_holds():
    data = zlib.decompress(bank.load_entry(_CATS.parent, "cats").pools["zlib-huffman"])
    rows = re.findall(r"\| (\d+) \| (\d+) \|[^|]*\| `([0-9a-f ]+)`", _PAGE.read_text())
    end = 0
    for start, size, beginning in rows:
        assert int(start) == end
        assert data[end:].startswith(bytes.fromhex(beginning))
        end += int(size)
    assert end == len(data)
