import concurrent.futures
import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from ss_tf.hierarchy import superclass_map
from ss_tf.routing import decisions, router, sub_logits
from ss_tf.routing.policy import HARD, RoutingPolicy

# "boat" has a single subclass. Birds are the labels 0, 2, 5; cats are 3, 4.
MAP = superclass_map.SuperclassMap(
    superclass_names=("bird", "boat", "cat"),
    label_names=("owl", "tug", "hen", "tabby", "lion", "jay"),
    superclass_of_label=(0, 1, 0, 2, 2, 0),
)
LOG = np.log
FIELDS = [field.name for field in dataclasses.fields(decisions.Routed)]


class FakeNetworks(tf.Module):
    """Networks that look their logits up: an image of 1x1x1 pixels is an index into a table."""

    image_shape = (1, 1, 1)

    def __init__(self, tables):
        super().__init__()
        self.calls = []
        self.tables = {name: np.array(table, np.float32) for name, table in tables.items()}

    def features(self, images):
        return images

    def base_logits(self, features):
        return tf.gather(self.tables[None], tf.cast(features[:, 0, 0, 0], tf.int32))

    def sub_logits(self, superclass, features):
        def look_up(superclass, indices):
            self.calls.append((int(superclass), len(indices)))
            name = MAP.superclass_names[superclass]
            if name not in self.tables:
                raise ValueError(f"no entry for {name}")
            return self.tables[name][indices.astype(int)]

        logits = tf.numpy_function(look_up, [superclass, features[:, 0, 0, 0]], tf.float32)
        return tf.ensure_shape(logits, [None, None])


def _images(*indices):
    return np.array(indices, np.float32).reshape(-1, 1, 1, 1)


@pytest.fixture
def networks():
    """Images 0 and 3 are birds, 1 is a boat, 2 is a cat."""
    return FakeNetworks(
        {
            None: LOG([[8, 1, 1], [1, 6, 3], [2, 3, 5], [4, 3, 3]]),
            "bird": LOG([[1, 2, 7], [1, 1, 1], [1, 1, 1], [5, 3, 2]]),
            "cat": LOG([[1, 1], [1, 1], [1, 3], [1, 1]]),
        }
    )


def _random_networks(base_width, count=40):
    rng = np.random.default_rng(base_width)
    widths = {None: base_width, "bird": 3, "cat": 2}
    return FakeNetworks({name: 2 * rng.normal(size=(count, n)) for name, n in widths.items()})


def test_decisions_by_hand(networks):
    routed = router.Router(networks, MAP, base_kind="super")(_images(0, 1, 2, 3))
    np.testing.assert_array_equal(routed["superclass"], [0, 1, 2, 0])
    np.testing.assert_allclose(routed["superclass_probability"], [0.8, 0.6, 0.5, 0.4], rtol=1e-6)
    np.testing.assert_array_equal(routed["subclass"], [2, 0, 1, 0])
    np.testing.assert_allclose(routed["subclass_probability"], [0.7, 1, 0.75, 0.5], rtol=1e-6)
    np.testing.assert_array_equal(routed["label"], [5, 1, 4, 0])
    np.testing.assert_array_equal(routed["opened"], np.eye(3, dtype=bool)[[0, 1, 2, 0]])
    # Birds are 0, 2, 5; what was not opened has 0.
    expected = [
        [0.08, 0, 0.16, 0, 0, 0.56],
        [0, 0.6, 0, 0, 0, 0],
        [0, 0, 0, 0.125, 0.375, 0],
        [0.2, 0, 0.12, 0, 0, 0.08],
    ]
    np.testing.assert_allclose(routed["scores"], expected, rtol=1e-6)
    assert set(routed) == set(FIELDS)


SOFT = RoutingPolicy(top_k=2, tau=0.8, temperatures={"bird": 1.7, "cat": 0.6})


@pytest.mark.parametrize(
    ("base_kind", "policy"),
    [
        ("super", HARD),
        ("super", SOFT),
        ("super", dataclasses.replace(SOFT, top_k=9, tau=1.0, abstain_below=0.4)),
        ("flat", HARD),
        ("flat", SOFT),
        ("flat", dataclasses.replace(SOFT, early_exit=0.5, base_weight=0.3)),
        ("flat", RoutingPolicy(early_exit=0.0)),
    ],
)
def test_decisions_are_those_of_the_reference(base_kind, policy):
    networks = _random_networks({"super": 3, "flat": 6}[base_kind])
    indices = np.random.default_rng(0).permutation(40)
    routed = router.Router(networks, MAP, base_kind=base_kind, policy=policy)(_images(*indices))
    subs = {
        superclass: sub_logits.SubLogits(np.arange(40), networks.tables[name][indices])
        for superclass, name in ((0, "bird"), (2, "cat"))
    }
    expected = decisions.decide(
        networks.tables[None][indices], subs, MAP, base_kind=base_kind, policy=policy
    )
    assert set(routed) == set(FIELDS)
    for name in FIELDS:
        found, wanted = routed[name].numpy(), getattr(expected, name)
        assert found.dtype == wanted.dtype, name
        if found.dtype == np.float32:
            np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=1e-6, err_msg=name)
        else:
            np.testing.assert_array_equal(found, wanted, err_msg=name)
    best = routed["scores"].numpy().argmax(axis=1)
    decided = np.where(routed["label"] == -1, best, routed["label"])
    np.testing.assert_array_equal(best, decided)
    if policy.abstain_below:
        assert 0 < np.mean(routed["label"] == -1) < 1


def test_each_sub_network_runs_once_over_the_images_that_open_it(networks):
    router.Router(networks, MAP, base_kind="super")(_images(2, 0, 1, 3, 2, 0, 0, 2))
    assert networks.calls == [(0, 4), (2, 3)]
    networks.calls.clear()
    # Beside the most probable one, image 0 opens the boat, which needs no network.
    policy = RoutingPolicy(top_k=2, tau=1.0)
    router.Router(networks, MAP, base_kind="super", policy=policy)(_images(2, 0))
    assert networks.calls == [(0, 1), (2, 1)]


def test_a_superclass_with_one_subclass_needs_no_sub_network(networks):
    routed = router.Router(networks, MAP, base_kind="super")(_images(1, 1))
    assert networks.calls == []
    np.testing.assert_array_equal(routed["label"], [1, 1])
    np.testing.assert_array_equal(routed["subclass_probability"], np.ones(2, np.float32))


def test_decisions_follow_the_order_of_the_images_in_batches_of_any_size(networks):
    route = router.Router(networks, MAP, base_kind="super", policy=SOFT)
    order = np.random.default_rng(0).integers(0, 4, 50)
    one_by_one = [route(_images(index)) for index in order]
    together = route(_images(*order))
    for name in FIELDS:
        expected = np.concatenate([routed[name] for routed in one_by_one])
        np.testing.assert_array_equal(together[name], expected)
    empty = route(_images())
    assert {name: tensor.shape.as_list() for name, tensor in empty.items()} == {
        **{name: [0] for name in FIELDS},
        "opened": [0, 3],
        "scores": [0, 6],
    }
    assert route.route.experimental_get_tracing_count() == 1


def test_eager_is_as_graph(networks):
    route = router.Router(networks, MAP, base_kind="super", policy=SOFT)
    compiled = route(_images(0, 1, 2, 3))
    tf.config.run_functions_eagerly(True)
    try:
        eager = route(_images(0, 1, 2, 3))
    finally:
        tf.config.run_functions_eagerly(False)
    for name in FIELDS:
        np.testing.assert_array_equal(eager[name], compiled[name])


def test_the_oracle_opens_the_superclass_that_is_given(networks):
    route = router.Router(networks, MAP, base_kind="super")
    routed = route.oracle(_images(0, 0, 3), np.array([0, 2, 1]))
    np.testing.assert_array_equal(routed["superclass"], [0, 2, 1])
    np.testing.assert_array_equal(routed["label"], [5, 3, 1])
    np.testing.assert_allclose(routed["superclass_probability"], [0.8, 0.1, 0.3], rtol=1e-6)
    assert route.oracle(_images(), np.zeros(0, int))["label"].shape == (0,)
    for bad in ([0, 3], [-1, 0], [0]):
        with pytest.raises(ValueError, match=r"expected one of 0\.\.2 for each of 2 images"):
            route.oracle(_images(0, 1), np.array(bad))


def test_the_probabilities_of_the_first_stage(networks):
    route = router.Router(networks, MAP, base_kind="super")
    found = route.superclass_probabilities(tf.constant(_images(0, 3)))
    np.testing.assert_allclose(found, [[0.8, 0.1, 0.1], [0.4, 0.3, 0.3]], rtol=1e-6)
    assert route.superclass_probabilities(tf.constant(_images())).shape == (0, 3)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((1, 2, 1, 1), np.float32), r"float32 of shape \(1, 2, 1, 1\), expected float32"),
        (np.zeros((1, 1, 1)), r"float64 of shape \(1, 1, 1\), expected .*'batch', 1, 1, 1"),
        (np.full((1, 1, 1, 1), np.nan, np.float32), "hold NaN or infinity"),
    ],
)
def test_images_of_another_kind_are_refused_and_later_calls_are_right(networks, images, message):
    route = router.Router(networks, MAP, base_kind="super")
    with pytest.raises(ValueError, match=message):
        route(images)
    np.testing.assert_array_equal(route(_images(0))["label"], [5])


def test_a_call_after_one_that_failed_is_right(networks):
    route = router.Router(networks, MAP, base_kind="super")
    cat = networks.tables.pop("cat")
    with pytest.raises(Exception, match="no entry for cat"):
        route(_images(0, 2))
    networks.tables["cat"] = cat
    np.testing.assert_array_equal(route(_images(0, 2))["label"], [5, 4])


def test_threads_get_the_answers_of_serial_calls(networks):
    route = router.Router(networks, MAP, base_kind="super", policy=SOFT)
    rng = np.random.default_rng(1)
    batches = [_images(*rng.integers(0, 4, rng.integers(1, 9))) for _ in range(64)]
    serial = [route(batch) for batch in batches]
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        for expected, found in zip(serial, threads.map(route, batches), strict=True):
            for name in FIELDS:
                np.testing.assert_array_equal(found[name], expected[name])


@pytest.mark.parametrize(
    ("base_kind", "policy", "message"),
    [
        ("oracle", HARD, "base_kind is 'oracle', expected super or flat"),
        ("super", RoutingPolicy(early_exit=0.9), "a super base gives no probabilities of labels"),
        ("super", RoutingPolicy(temperatures={"dog": 2.0}), "'dog', expected names out of bird"),
    ],
)
def test_settings_that_do_not_fit_are_refused(networks, base_kind, policy, message):
    with pytest.raises(ValueError, match=message):
        router.Router(networks, MAP, base_kind=base_kind, policy=policy)
