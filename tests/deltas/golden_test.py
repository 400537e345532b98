"""Version 1 of the bank stays readable: `make_golden.py` wrote these files once and for all."""

import pathlib

import numpy as np
import pytest

from ss_tf.deltas import bank
from ss_tf.models import integer_network

_GOLDEN = pathlib.Path(__file__).parent / "golden"
# Of the base and of the networks, in case the files themselves are ever replaced.
_DIGESTS = {
    "base": "dd9089e0138abc4a7ccc9caf3b467b2300ce8de4f89ae1ac91638f714554f52b",
    "cats": "674502cbb7052e478a7d8ece2543dcff99ca975378cf4f62a3c8a7ea4c117c1b",
    "trucks": "2a2dc06b3a2d2f6c2d0b67c0d1aed539e3ffb9d82ef6d795206bb98c6aa37152",
}


def _network(name):
    return integer_network.load(_GOLDEN / f"{name}.safetensors")


def test_the_golden_networks_are_those_of_old():
    assert {name: integer_network.digest(_network(name)) for name in _DIGESTS} == _DIGESTS


@pytest.mark.parametrize("name", ["cats", "trucks"])
def test_the_golden_bank_restores_its_networks_bit_for_bit(name, assert_same_network):
    assert bank.names(_GOLDEN / "bank") == ("cats", "trucks")
    base = _network("base")
    restored = bank.read_entry(_GOLDEN / "bank", name, base=base)
    assert_same_network(restored, _network(name))
    assert integer_network.digest(restored) == _DIGESTS[name]
    assert integer_network.digest(base) == _DIGESTS["base"]


@pytest.mark.parametrize("name", ["cats", "trucks"])
def test_a_bank_of_the_same_networks_written_today_reads_back_equal(
    name, tmp_path, assert_same_network
):
    """The bytes may be others: the writer may learn, and zlib may change."""
    base, sub = _network("base"), _network(name)
    bank.write_entry(tmp_path, name, base=base, sub=sub)
    assert_same_network(bank.read_entry(tmp_path, name, base=base), sub)


def test_the_golden_bank_has_every_part_of_the_format():
    entries = [bank.load_entry(_GOLDEN / "bank", name) for name in ("cats", "trucks")]
    trees = [tree for entry in entries for _, tree in entry.kernels]
    assert {len(entry.pools) for entry in entries} == {1, 2}
    assert 0 in trees
    assert [1, [0]] in trees
    assert any(isinstance(tree, list) and len(tree) == 5 for tree in trees)
    assert any(isinstance(tree, list) and len(tree) > 2 and tree[2] != 0 for tree in trees)
    assert any(levels is not None for entry in entries for levels, _ in entry.kernels)
    forms = {form for entry in entries for form in entry.forms}
    assert {form.kept_bytes for form in forms} >= {2, 4}
    assert {form.is_relative for form in forms} == {False, True}
    assert {entry.num_classes for entry in entries} == {2, 120}
    base = _network("base")
    for group in (base, _network("cats"), _network("trucks")):
        values = np.concatenate([kernel.ravel() for kernel in group.kernels.values()])
        assert (values.min(), values.max()) == (-127, 127)
