import dataclasses
import json

import pytest

from ss_tf.deltas import bank
from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.models import integer_network
from ss_tf.routing import fitted_policy, int8_networks
from ss_tf.routing.policy import HARD, RoutingPolicy
from ss_tf.training.run_dir import RunDir

# Superclasses of 5, 1 and 2 labels, as the fixture's networks have.
MAP = SuperclassMap.from_groups({"a": list("vwxyz"), "b": ["b"], "c": ["c1", "c2"]})
FITTED = RoutingPolicy(top_k=2, tau=0.5, temperatures={"a": 1.5})


@pytest.fixture
def run(tmp_path, small_int8_networks):
    """A run with a base and two sub networks."""
    run = RunDir(tmp_path)
    run.map_file.write_text(MAP.to_json())
    base = small_int8_networks[None]
    integer_network.save(base, run.int8_file("super"))
    for name, superclass in (("a", 0), ("c", 2)):
        bank.write_entry(run.bank_dir, name, base=base, sub=small_int8_networks[superclass])
    return run


def _store(run):
    digest = int8_networks.stored_digest(run, MAP, base="super")
    fitted_policy.store(FITTED, run, networks=digest)


def test_soft_routing_takes_what_was_fitted(run_config, run):
    assert fitted_policy.load(run_config(), run, "hard") == HARD
    with pytest.raises(
        ValueError, match=r"--routing=soft needs .*routing.json.*Run eval.py .*100 minival"
    ):
        fitted_policy.load(run_config(), run, "soft")
    _store(run)
    assert fitted_policy.load(run_config(), run, "soft") == FITTED


def test_where_nothing_was_fitted_an_older_policy_goes(run):
    for _ in range(2):
        fitted_policy.store(None, run, networks="")
        assert not run.routing_file.exists()
        _store(run)


@pytest.mark.parametrize("replaced", ["super", "a", "c"])
def test_a_policy_of_other_networks_is_refused(run_config, run, small_int8_networks, replaced):
    _store(run)
    base = small_int8_networks[None]
    own = {"super": base, "a": small_int8_networks[0], "c": small_int8_networks[2]}[replaced]
    floats = dict(own.floats)
    floats["fc/bias"] = floats["fc/bias"] + 1
    other = dataclasses.replace(own, floats=floats)
    if replaced == "super":
        integer_network.save(other, run.int8_file("super"))
    else:
        bank.write_entry(run.bank_dir, replaced, base=base, sub=other)
    with pytest.raises(
        ValueError, match=r"routing\.json was fitted to other networks than .* Run eval\.py --run_d"
    ):
        fitted_policy.load(run_config(), run, "soft")
    assert fitted_policy.load(run_config(), run, "hard") == HARD


def test_a_file_of_an_earlier_version_is_refused(run_config, run):
    run.routing_file.write_text(FITTED.to_json())
    with pytest.raises(
        ValueError, match=r"routing\.json does not say which networks .* Run eval\.py --run_dir="
    ):
        fitted_policy.load(run_config(), run, "soft")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\xff", "routing.json is no routing policy: 'utf-8' codec"),
        (
            b"{",
            "routing.json is no routing policy: .* no JSON: Expecting property",
        ),
        (b" " * (2**20 + 1), "routing.json is over 1048576 bytes"),
        (b'{"networks": "x", "networks": "y"}', "field 'networks' is there twice"),
        (json.dumps({"networks": 5, **json.loads(FITTED.to_json())}).encode(), "fitted to other"),
    ],
    ids=range(5),
)
def test_a_bad_file_is_named(run_config, run, data, message):
    run.routing_file.write_bytes(data)
    with pytest.raises(ValueError, match=message):
        fitted_policy.load(run_config(), run, "soft")
