import numpy as np
import pytest

from ss_tf.evaluation import gather
from ss_tf.routing.policy import RoutingPolicy


class FakeNetworks:
    """Logits by name and form: 1 for the class that is a number modulo the classes, else 0."""

    def __init__(self, *names_and_forms):
        self._there = set(names_and_forms)
        self.ran = []

    def logits(self, name, form, *, examples):
        if (name, form) not in self._there:
            return None
        self.ran.append((name, form))
        width = {"flat": 6, "flat_equal_compute": 6, "super": 3, "sub/bird": 3, "sub/boat": 2}[name]
        numbers = np.array([int(key.split("/")[1]) for key in examples.keys], int)
        return np.eye(width, dtype=np.float32)[numbers % width]


def gathered(config, dataset, networks, facts, policy=None):
    return gather.predictions(config, dataset, networks=networks, policy=policy, facts=facts)


def test_what_is_kept_is_what_the_networks_said_of_each_image(run_config, dataset, facts):
    networks = FakeNetworks(("flat", "float"), ("super", "int8"), ("super", "float"))
    stored = gathered(run_config(), dataset, networks, facts)
    assert stored.keys == tuple(f"validation/{number}" for number in range(19))
    np.testing.assert_array_equal(stored.labels, dataset.validation.labels)
    assert stored.labels.dtype == np.int64
    assert set(stored.logits) == {("flat", "float"), ("super", "int8"), ("super", "float")}
    expected = np.eye(6, dtype=np.float32)[np.arange(19) % 6]
    np.testing.assert_array_equal(stored.logits["flat", "float"], expected, strict=True)
    assert stored.subs == {}
    assert stored.facts == facts


def test_each_network_runs_once_even_if_it_is_flat_and_base(run_config, dataset, facts):
    networks = FakeNetworks(("flat", "float"), ("flat", "int8"))
    gathered(run_config(sub_init="flat"), dataset, networks, facts)
    assert sorted(networks.ran) == [("flat", "float"), ("flat", "int8")]


def test_sub_networks_are_kept_all_or_none(run_config, dataset, facts):
    float_subs = [("sub/bird", "float"), ("sub/boat", "float")]
    networks = FakeNetworks(("super", "int8"), *float_subs, ("sub/bird", "int8"))
    stored = gathered(run_config(), dataset, networks, facts)
    assert set(stored.subs) == {"float"}
    assert set(stored.subs["float"]) == {0, 1}


def test_a_soft_policy_adds_images_in_int8_alone(run_config, dataset, facts):
    both = [(name, form) for name in ("sub/bird", "sub/boat") for form in ("float", "int8")]
    networks = FakeNetworks(("super", "int8"), *both)
    # Of three superclasses, it opens two for each image.
    policy = RoutingPolicy(top_k=2, tau=1.0)
    stored = gathered(run_config(), dataset, networks, facts, policy)
    counts = {
        form: sum(len(s.indices) for s in subs.values()) for form, subs in stored.subs.items()
    }
    assert counts["int8"] > counts["float"]


def test_damaged_logits_are_refused_by_name(run_config, dataset, facts):
    networks = FakeNetworks(("flat", "float"))
    logits = networks.logits

    def diverged(*args, examples):
        found = logits(*args, examples=examples)
        return None if found is None else np.where(found > 0, np.float32("nan"), found)

    networks.logits = diverged
    with pytest.raises(ValueError, match="Logits of flat float are not finite for image 0"):
        gathered(run_config(), dataset, networks, facts)


def test_scratch_run_has_the_super_network_as_stage_1(run_config):
    assert gather.stage1_network(run_config(sub_init="scratch")) == "super"
    assert gather.stage1_network(run_config(sub_init="flat")) == "flat"
