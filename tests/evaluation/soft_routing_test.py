import dataclasses

import numpy as np
import pytest

from ss_tf.data.examples import Examples
from ss_tf.evaluation import gather, soft_routing, systems
from ss_tf.evaluation.results import NOT_EVALUATED
from ss_tf.routing import fit_policy

WIDTHS = {"flat": 6, "super": 3, "sub/bird": 3, "sub/boat": 2}


def split(name, count):
    return Examples(
        images=np.zeros((count, 16, 16, 1), np.uint8),
        labels=np.arange(count) % 6,
        keys=np.array([f"{name}/{index}" for index in range(count)], str),
    )


@pytest.fixture
def large_dataset(dataset):
    """600 images in minival and as many in validation."""
    splits = {name: split(name, 600) for name in ("minival", "validation")}
    return dataclasses.replace(dataset, **splits)


class FakeNetworks:
    """Logits by name, a table with one row per image; notes which images each was run over."""

    def __init__(self, tables):
        self._tables = tables
        self.reached = {}

    def logits(self, name, form, *, examples):
        splits, numbers = zip(*(key.split("/") for key in examples.keys), strict=True)
        assert len(set(splits)) == 1
        if form != "int8" or name not in self._tables:
            return None
        rows = np.array(numbers, int)
        self.reached[splits[0], name] = rows
        return self._tables[name][rows].astype(np.float32)


@pytest.fixture
def networks(superclass_map):
    """Of every third image the base takes the wrong superclass, just; the sub networks know."""
    labels = np.arange(600) % 6
    true = np.array(superclass_map.superclass_of_label)[labels]
    subclass = np.array(superclass_map.subclass_of_label())[labels]
    base = np.full((600, 3), -5.0)
    base[np.arange(600), true] = 5
    unsure = np.flatnonzero(np.arange(600) % 20 == 1)
    base[unsure, (true[unsure] + 1) % 3] = 5.1
    tables = {"super": base}
    for superclass, name in ((0, "sub/bird"), (1, "sub/boat")):
        tables[name] = np.zeros((600, WIDTHS[name]))
        own = np.flatnonzero(true == superclass)
        tables[name][own, subclass[own]] = 9
    return FakeNetworks(tables)


def test_a_policy_is_fitted_on_minival_alone(run_config, large_dataset, networks):
    fitted = soft_routing.fit(run_config(), large_dataset, networks=networks)
    assert {name for name, _ in networks.reached} == {"minival"}
    assert fitted.num_images == 600
    assert fitted.policy.top_k == 2
    assert 0.52 < fitted.policy.tau < 1
    assert fitted.hard.accuracy == 0.95
    assert fitted.soft.accuracy > 0.98
    assert fitted.soft.sub_networks <= 1.1


def test_sub_networks_see_minival_images_of_their_superclass_and_the_two_most_probable(
    run_config, large_dataset, networks, superclass_map
):
    # All images are cars to the base, then boats: birds come by their own images alone.
    networks._tables["super"] = np.tile([-5.0, 1.0, 5.0], (600, 1))
    soft_routing.fit(run_config(), large_dataset, networks=networks)
    np.testing.assert_array_equal(networks.reached["minival", "sub/boat"], np.arange(600))
    birds = np.flatnonzero(np.isin(np.arange(600) % 6, superclass_map.labels_in(0)))
    np.testing.assert_array_equal(networks.reached["minival", "sub/bird"], birds)


@pytest.mark.parametrize("missing", ["super", "sub/bird", "sub/boat"])
def test_nothing_is_fitted_to_networks_that_are_not_all_there(
    run_config, large_dataset, networks, missing
):
    del networks._tables[missing]
    assert soft_routing.fit(run_config(), large_dataset, networks=networks) is None


@pytest.mark.parametrize("count", [0, fit_policy.FEWEST_IMAGES - 1])
def test_nothing_is_fitted_to_too_few_images(run_config, large_dataset, networks, count):
    few = dataclasses.replace(large_dataset, minival=split("minival", count))
    assert soft_routing.fit(run_config(), few, networks=networks) is None
    assert not networks.reached
    enough = dataclasses.replace(large_dataset, minival=split("minival", 100))
    assert soft_routing.fit(run_config(), enough, networks=networks) is not None


def test_measured_numbers_are_those_counted_by_hand(measured):
    routing = measured["routing"]
    assert routing["policy"]["tau"] == 0.75
    assert routing["policy"]["version"] == 1
    assert routing["minival"]["num_examples"] == 200
    assert routing["hard"] == {"sub_networks_per_image": 7 / 8, "early_exits": 0}
    assert routing["soft"] == {"sub_networks_per_image": 9 / 8, "early_exits": 0}
    assert routing["soft_minus_hard_points"] == 12.5
    assert routing["soft_minus_hard_p_value"] == 1


def test_early_exits_are_images_that_open_nothing(decisions, superclass_map):
    opened = {"soft": np.arange(24).reshape(8, 3) >= 6, "hard": decisions.opened["hard"]}
    early = dataclasses.replace(decisions, opened=opened)
    routing = soft_routing.measure(None, NOT_EVALUATED, early, superclass_map)
    # Two images of 8 open nothing, the others birds, boats and cars, which have no sub network.
    assert routing["soft"] == {"sub_networks_per_image": 1.5, "early_exits": 0.25}


def test_what_was_not_fitted_is_not_evaluated(decisions, superclass_map):
    labels = {"hard": decisions.labels["hard"]}
    hard = dataclasses.replace(decisions, labels=labels, opened={"hard": decisions.opened["hard"]})
    routing = soft_routing.measure(None, NOT_EVALUATED, hard, superclass_map)
    assert routing.pop("hard") == {"sub_networks_per_image": 7 / 8, "early_exits": 0}
    assert set(routing.pop("soft").values()) == {NOT_EVALUATED}
    assert set(routing.values()) == {NOT_EVALUATED}


def test_validation_runs_the_sub_networks_that_the_policy_opens(
    run_config, large_dataset, networks, facts
):
    policy = soft_routing.fit(run_config(), large_dataset, networks=networks).policy
    decisions = systems.decide(
        gather.predictions(
            run_config(), large_dataset, networks=networks, policy=policy, facts=facts
        )
    )
    assert np.mean(decisions.labels["hard"] == decisions.true) == 0.95
    assert np.mean(decisions.labels["soft"] == decisions.true) > 0.98
    for superclass, name in ((0, "sub/bird"), (1, "sub/boat")):
        expected = decisions.opened["hard"] | decisions.opened["soft"]
        expected |= systems.reached_by(decisions.true, large_dataset.superclass_map)
        rows = np.flatnonzero(expected[:, superclass])
        np.testing.assert_array_equal(networks.reached["validation", name], rows)
    assert decisions.opened["soft"].sum() == 600 + 30
