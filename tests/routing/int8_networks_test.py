import dataclasses

import numpy as np
import pytest

from ss_tf.config import ModelConfig
from ss_tf.deltas import bank
from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.models import integer_network
from ss_tf.routing import int8_networks
from ss_tf.training.run_dir import RunDir

# Superclasses of 5, 1 and 2 labels, as the fixture's networks have.
MAP = SuperclassMap.from_groups({"a": list("vwxyz"), "b": ["b"], "c": ["c1", "c2"]})


@pytest.fixture
def drawn(small_int8_networks):
    """Name -> network."""
    return {"": small_int8_networks[None], "a": small_int8_networks[0], "c": small_int8_networks[2]}


@pytest.fixture
def run(tmp_path, drawn):
    """A run of the drawn networks."""
    run = RunDir(tmp_path)
    run.map_file.write_text(MAP.to_json())
    integer_network.save(drawn[""], run.int8_file("super"))
    for name in ("a", "c"):
        bank.write_entry(run.bank_dir, name, base=drawn[""], sub=drawn[name])
    return run


@pytest.fixture
def config(run_config):
    """Settings of the drawn networks."""
    small = ModelConfig(backbone="resnet18", base_width=4, resnet_blocks=None, stem="small")
    return dataclasses.replace(run_config(), model=small)


def test_networks_of_a_run_are_those_that_were_written(config, run, drawn):
    found = int8_networks.load(config, run, MAP)
    assert list(found) == ["", "a", "c"]
    for name, network in found.items():
        for tensor, values in integer_network.named_tensors(drawn[name]):
            np.testing.assert_array_equal(
                dict(integer_network.named_tensors(network))[tensor], values, strict=True
            )
    assert int8_networks.digest(found) == int8_networks.digest(drawn)


def test_files_tell_the_digest_of_their_networks(config, run, drawn):
    stored = int8_networks.stored_digest(run, MAP, base="super")
    assert stored == int8_networks.digest(drawn)
    # Nothing is read of a superclass that is not the run's, or has one label.
    for name in ("b", "other"):
        bank.entry_path(run.bank_dir, name).write_bytes(b"damaged")
    assert int8_networks.stored_digest(run, MAP, base="super") == stored
    bank.entry_path(run.bank_dir, "c").unlink()
    present = {name: drawn[name] for name in ("", "a")}
    assert int8_networks.stored_digest(run, MAP, base="super") == int8_networks.digest(present)
    only_a = {"a": drawn["a"]}
    assert int8_networks.stored_digest(run, MAP, base=None) == int8_networks.digest(only_a)
    bank.entry_path(run.bank_dir, "a").write_bytes(b"damaged")
    with pytest.raises(ValueError, match=r"a\.safetensors is not a whole"):
        int8_networks.stored_digest(run, MAP, base="super")


def test_a_missing_network_is_named(config, run):
    bank.entry_path(run.bank_dir, "c").unlink()
    with pytest.raises(ValueError, match=r"has no sub network of c\. Run train\.py"):
        int8_networks.load(config, run, MAP)


def test_digest_tells_networks_and_names_apart(drawn):
    digest = int8_networks.digest(drawn)
    assert digest == int8_networks.digest(dict(reversed(drawn.items())))
    base = drawn[""]
    changed = {name: kernel.copy() for name, kernel in base.kernels.items()}
    changed["conv1/kernel"].flat[0] ^= 1
    others = [
        drawn | {"": dataclasses.replace(base, kernels=changed)},
        drawn | {"a": drawn["c"], "c": drawn["a"]},
        {"": base},
    ]
    assert digest not in {int8_networks.digest(other) for other in others}
