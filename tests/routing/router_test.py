import concurrent.futures
import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

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


def _assert_as_the_reference(routed, tables, *, base_kind, policy):
    subs = {
        superclass: sub_logits.SubLogits(np.arange(len(tables[name])), tables[name])
        for superclass, name in ((0, "bird"), (2, "cat"))
    }
    expected = decisions.decide(tables[None], subs, MAP, base_kind=base_kind, policy=policy)
    assert set(routed) == set(FIELDS)
    for name in FIELDS:
        found, wanted = routed[name].numpy(), getattr(expected, name)
        assert found.dtype == wanted.dtype, name
        if found.dtype == np.float32:
            # A graph may round the smallest numbers of float32 to 0.
            np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-37, err_msg=name)
        else:
            np.testing.assert_array_equal(found, wanted, err_msg=name)
    return expected


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
    tables = {name: table[indices] for name, table in networks.tables.items()}
    _assert_as_the_reference(routed, tables, base_kind=base_kind, policy=policy)
    best = routed["scores"].numpy().argmax(axis=1)
    decided = np.where(routed["label"] == -1, best, routed["label"])
    np.testing.assert_array_equal(best, decided)
    if policy.abstain_below:
        assert 0 < np.mean(routed["label"] == -1) < 1


_ABOVE_1 = np.nextafter(np.float32(1), np.float32(2))


@pytest.mark.parametrize(
    ("base_kind", "base", "bird", "policy", "label", "num_opened"),
    [
        # In the last bit of float32, and where scores are equal in float64, too.
        ("super", [_ABOVE_1, 1, 1], [1, 1, _ABOVE_1], HARD, 5, 1),
        ("super", [1, 0, 0], [0, 1e-30, 0], HARD, 2, 1),
        ("flat", [9, 0, 0, 0, 0, 0], [0, 0, 1e-30], RoutingPolicy(base_weight=0), 5, 1),
        ("super", [1, 0, 0], [0, 1e-5, 0], RoutingPolicy(temperatures={"bird": 1000}), 2, 1),
        ("super", [20, 0, 0], [0, 1, 0], RoutingPolicy(top_k=2, tau=1), 2, 2),
        # The first label has 1 - 5e-8; early_exit is the float32 next to 1 where it is rounded.
        ("flat", [np.log(1e8), *[0] * 5], [0, 0, 1], RoutingPolicy(early_exit=1 - 4e-8), 5, 1),
        ("flat", [np.log(1e8), *[0] * 5], [0, 0, 1], RoutingPolicy(early_exit=1 - 6e-8), 0, 0),
        ("flat", [9, 0, 0, 0, 0, 0], [0, 0, 1], RoutingPolicy(base_weight=1), 0, 1),
    ],
)
def test_decisions_are_the_references_where_float32_saturates(
    base_kind, base, bird, policy, label, num_opened
):
    networks = FakeNetworks({None: [base], "bird": [bird], "cat": [[0, 0]]})
    routed = router.Router(networks, MAP, base_kind=base_kind, policy=policy)(_images(0))
    _assert_as_the_reference(routed, networks.tables, base_kind=base_kind, policy=policy)
    assert (int(routed["label"][0]), np.sum(routed["opened"])) == (label, num_opened)


class WildNetworks(FakeNetworks):
    """Networks whose tables can be changed after the graph was traced."""

    def base_logits(self, features):
        def look_up(indices):
            return self.tables[None][indices.astype(int)]

        logits = tf.numpy_function(look_up, [features[:, 0, 0, 0]], tf.float32)
        return tf.ensure_shape(logits, [None, None])


_WILD = st.floats(-1e4, 1e4, width=32, allow_subnormal=False) | st.sampled_from(
    [0, 1, float(_ABOVE_1), 1e-30, 1e-5, 16, 17, 20, 37, 88, 104, 745, 750, -750, 1e30, -3e38]
)
_POLICIES = [
    ("super", HARD),
    ("super", RoutingPolicy(top_k=3, temperatures={"bird": 1e3, "cat": 1e-3}, abstain_below=0.5)),
    ("flat", RoutingPolicy(top_k=2, tau=0.99, early_exit=1 - 4e-8)),
    ("flat", RoutingPolicy(top_k=2, base_weight=0.5, abstain_below=0.9)),
]
_ROUTERS = {}


@pytest.mark.parametrize("number", range(len(_POLICIES)))
@settings(max_examples=40, deadline=None, derandomize=True)
@given(data=st.data())
def test_wild_logits_are_decided_as_by_the_reference(number, data):
    base_kind, policy = _POLICIES[number]
    if number not in _ROUTERS:
        route = router.Router(WildNetworks({}), MAP, base_kind=base_kind, policy=policy)
        _ROUTERS[number] = route
    route, tables = _ROUTERS[number], {}
    for name, width in ((None, {"super": 3, "flat": 6}[base_kind]), ("bird", 3), ("cat", 2)):
        tables[name] = data.draw(hnp.arrays(np.float32, (4, width), elements=_WILD))
    route.networks.tables = tables
    _assert_as_the_reference(route(_images(*range(4))), tables, base_kind=base_kind, policy=policy)
    assert route.route.experimental_get_tracing_count() == 1


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
    np.testing.assert_array_equal(routed["superclass_probability"], np.ones(3, np.float32))
    np.testing.assert_allclose(routed["subclass_probability"], [0.7, 0.5, 1], rtol=1e-6)
    expected = [[0.1, 0, 0.2, 0, 0, 0.7], [0, 0, 0, 0.5, 0.5, 0], [0, 1, 0, 0, 0, 0]]
    np.testing.assert_allclose(routed["scores"], expected, rtol=1e-6)
    np.testing.assert_array_equal(routed["opened"], np.eye(3, dtype=bool)[[0, 2, 1]])
    assert set(routed) == set(FIELDS)
    assert route.oracle(_images(), np.zeros(0, int))["label"].shape == (0,)
    for bad in ([0.0, 0.7], [False, True], ["0", "1"]):
        with pytest.raises(ValueError, match=r"Superclasses are .*, expected integers\.$"):
            route.oracle(_images(0, 1), np.array(bad))
    for bad in ([0, 3], [-1, 0], [0]):
        with pytest.raises(ValueError, match=r"expected one of 0\.\.2 for each of 2 images"):
            route.oracle(_images(0, 1), np.array(bad))


@pytest.mark.parametrize(
    ("base_kind", "policy"),
    [
        ("super", HARD),
        ("super", RoutingPolicy(abstain_below=1)),
        ("flat", RoutingPolicy(top_k=2, early_exit=0, base_weight=1, abstain_below=1)),
    ],
)
def test_the_oracle_stays_in_a_superclass_that_the_base_rules_out(base_kind, policy):
    # exp(-1000) is 0 in float64, too. Of the cat, scores are equal and logits are not.
    base = [[1000, 0, 0]] if base_kind == "super" else [[1000, 0, 0, 0, 0, 0]]
    networks = FakeNetworks({None: base, "bird": [[0, 0, 0]], "cat": [[0, 1e-30]]})
    route = router.Router(networks, MAP, base_kind=base_kind, policy=policy)
    routed = route.oracle(_images(0, 0), np.array([2, 1], np.uint8))
    np.testing.assert_array_equal(routed["label"], [4, 1])
    np.testing.assert_array_equal(routed["superclass"], [2, 1])
    np.testing.assert_array_equal(routed["subclass"], [1, 0])
    np.testing.assert_array_equal(routed["superclass_probability"], [1, 1])
    np.testing.assert_array_equal(routed["subclass_probability"], [0.5, 1])


def test_where_all_superclasses_have_one_label_no_sub_network_is_asked():
    alone = superclass_map.SuperclassMap.from_groups({"a": ["a"], "b": ["b"]})
    networks = FakeNetworks({None: LOG([[3, 1], [1, 3]])})
    networks.sub_logits = None
    route = router.Router(networks, alone, base_kind="super", policy=RoutingPolicy(top_k=2))
    for routed in (route(_images(0, 1)), route.oracle(_images(0, 1), np.array([0, 1]))):
        np.testing.assert_array_equal(routed["label"], [0, 1])
        np.testing.assert_array_equal(routed["subclass"], [0, 0])
    np.testing.assert_allclose(route(_images(0))["scores"], [[0.75, 0.25]], rtol=1e-6)


def test_the_probabilities_of_the_first_stage(networks):
    route = router.Router(networks, MAP, base_kind="super")
    found = route.superclass_probabilities(tf.constant(_images(0, 3)))
    np.testing.assert_allclose(found, [[0.8, 0.1, 0.1], [0.4, 0.3, 0.3]], rtol=1e-6)
    assert found.dtype == tf.float32
    assert route.superclass_probabilities(tf.constant(_images())).shape == (0, 3)
    with pytest.raises(tf.errors.InvalidArgumentError, match="images hold NaN or infinity"):
        route.superclass_probabilities(tf.constant(_images(0, np.nan)))


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
