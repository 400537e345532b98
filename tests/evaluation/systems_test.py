import numpy as np
import pytest

from ss_tf.evaluation import gather, systems
from ss_tf.routing import decisions as routing
from ss_tf.routing.policy import RoutingPolicy


class FakeNetworks:
    """Gives logits made by hand, and notes which examples each network was run over."""

    def __init__(self, decided):
        """Takes (name, form) -> function from an example's number to the class decided."""
        self._decided = decided
        self.reached = {}

    def logits(self, name, form, *, examples):
        if (name, form) not in self._decided:
            return None
        numbers = [int(key.split("/")[1]) for key in examples.keys]
        self.reached[name, form] = numbers
        width = {"flat": 6, "flat_equal_compute": 6, "super": 3, "sub/bird": 3, "sub/boat": 2}[name]
        decide = self._decided[name, form]
        return np.eye(width, dtype=np.float32)[[decide(number) for number in numbers]]


@pytest.fixture
def decide(dataset, facts):
    """Returns a function that runs networks over the images and decides."""

    def run(config, *, networks, policy=None):
        stored = gather.predictions(config, dataset, networks=networks, policy=policy, facts=facts)
        return systems.decide(stored)

    return run


@pytest.fixture
def true(dataset):
    return dataset.validation.labels


@pytest.fixture
def true_superclass(true, superclass_map):
    return np.array(superclass_map.superclass_of_label)[true]


def test_perfect_networks_are_right_in_every_system(
    run_config, decide, true, true_superclass, superclass_map
):
    subclass = np.array(superclass_map.subclass_of_label())[true]
    # A sub network has no right answer for another superclass's image.
    decided = {("flat", "float"): true.__getitem__, ("flat_equal_compute", "float"): true.item}
    for form in ("float", "int8"):
        decided["super", form] = true_superclass.__getitem__
        for name in ("sub/bird", "sub/boat"):
            decided[name, form] = subclass.__getitem__
    decisions = decide(run_config(), networks=FakeNetworks(decided))
    assert set(decisions.labels) == {
        "flat", "flat_equal_compute", "oracle", "oracle_vanilla", "vanilla", "hard",
    }  # fmt: skip
    for labels in decisions.labels.values():
        np.testing.assert_array_equal(labels, true)
    assert set(decisions.stage1) == {"float", "int8"}


def test_sub_networks_see_their_superclass_and_what_stage_1_sends_to_them(
    run_config, decide, true_superclass
):
    # Stage 1 takes example 0 for a bird in float, and example 1 for a boat in int8.
    float_stage1, int8_stage1 = true_superclass.copy(), true_superclass.copy()
    float_stage1[0], int8_stage1[1] = 0, 1
    networks = FakeNetworks(
        {
            ("super", "float"): float_stage1.__getitem__,
            ("super", "int8"): int8_stage1.__getitem__,
            ("sub/bird", "int8"): lambda number: 0,
            ("sub/boat", "int8"): lambda number: 1,
        }
    )
    decisions = decide(run_config(), networks=networks)
    birds, boats = (set(np.flatnonzero(true_superclass == group)) for group in (0, 1))
    assert networks.reached["sub/bird", "int8"] == sorted(birds | {0})
    assert networks.reached["sub/boat", "int8"] == sorted(boats | {1})
    # Labels of bird's first and boat's second subclass are 0 and 4; car's only one is 3.
    np.testing.assert_array_equal(decisions.labels["oracle"], np.take([0, 4, 3], true_superclass))
    np.testing.assert_array_equal(decisions.labels["hard"], np.take([0, 4, 3], int8_stage1))
    assert "vanilla" not in decisions.labels


def test_system_that_lacks_a_sub_network_is_left_out(run_config, decide, true_superclass):
    networks = FakeNetworks(
        {
            ("super", "float"): true_superclass.__getitem__,
            ("super", "int8"): true_superclass.__getitem__,
            ("sub/bird", "int8"): lambda number: 0,
        }
    )
    decisions = decide(run_config(), networks=networks)
    assert decisions.labels == {}
    assert set(decisions.stage1) == {"float", "int8"}


def test_flat_base_is_stage_1_by_its_summed_probabilities(run_config, decide):
    networks = FakeNetworks({("flat", "int8"): lambda number: 4, ("flat", "float"): lambda n: 3})
    decisions = decide(run_config(sub_init="flat"), networks=networks)
    # One logit of 1 at label 4, a boat: e + 1 of the boats beats 3 * 1 of the birds.
    assert set(decisions.stage1["int8"]) == {1}
    # At label 3, the car: e of the car loses against the birds.
    assert set(decisions.stage1["float"]) == {0}
    assert set(decisions.labels["flat_int8"]) == {4}
    assert set(decisions.labels["flat"]) == {3}


@pytest.mark.parametrize("base_kind", ["super", "flat"])
def test_images_are_decided_alike_in_chunks_of_any_size(draw, replace, base_kind, monkeypatch):
    stored = draw(base_kind=base_kind)
    if base_kind == "flat":
        stored = replace(stored, policy=RoutingPolicy(top_k=2, base_weight=0.3, early_exit=0.8))
    whole = systems.decide(stored)
    monkeypatch.setattr(systems, "_CHUNK", 7)
    found = systems.decide(stored)
    for system, labels in whole.labels.items():
        np.testing.assert_array_equal(found.labels[system], labels)
        np.testing.assert_array_equal(found.top[system], whole.top[system])
        np.testing.assert_allclose(found.probabilities[system], whole.probabilities[system])
        np.testing.assert_array_equal(
            found.descended[system]["two_level"], whole.descended[system]["two_level"]
        )
    for system, is_open in whole.opened.items():
        np.testing.assert_array_equal(found.opened[system], is_open)


def test_soft_routing_says_what_the_reference_says_of_all_images_at_once(draw):
    stored = draw()
    decisions = systems.decide(stored)
    routed = routing.decide(
        stored.logits["super", "int8"],
        stored.subs["int8"],
        stored.superclass_map,
        base_kind="super",
        policy=stored.policy,
    )
    np.testing.assert_array_equal(decisions.labels["soft"], routed.label)
    np.testing.assert_array_equal(decisions.opened["soft"], routed.opened)
    sure = np.stack([routed.superclass_probability, routed.scores.max(axis=1)], axis=1)
    np.testing.assert_allclose(decisions.probabilities["soft"], sure, rtol=1e-6)


def test_hard_routing_is_as_sure_as_both_stages_together(draw, superclass_map):
    stored = draw()
    decisions = systems.decide(stored)
    for image in range(12):
        base = np.exp(stored.logits["super", "int8"][image].astype(float))
        superclass = base.argmax()
        share, of_label = base.max() / base.sum(), 1.0
        if superclass != 2:
            sub = np.exp(stored.subs["int8"][superclass].logits[image].astype(float))
            of_label = sub.max() / sub.sum()
        assert superclass_map.superclass_of_label[decisions.labels["hard"][image]] == superclass
        found = decisions.probabilities["hard"][image]
        assert found == pytest.approx([share, share * of_label])
