import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ss_tf.evaluation import bounds
from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.routing import decisions
from ss_tf.routing.policy import HARD, RoutingPolicy
from ss_tf.routing.probabilities import FLAT, SUPER, softmax, superclass_probabilities
from ss_tf.routing.sub_logits import SubLogits

# Labels of bird: 0, 2, 5; of boat: 1; of cat: 3, 4.
MAP = SuperclassMap(
    superclass_names=("bird", "boat", "cat"),
    label_names=("owl", "tug", "hen", "tabby", "lion", "jay"),
    superclass_of_label=(0, 1, 0, 2, 2, 0),
)
WIDTHS = {SUPER: 3, FLAT: 6}
SHARES = st.floats(0, 1)
BIRD, CAT = np.log([[1, 4, 16]]), np.log([[9, 1]])


def _subs(bird, cat):
    """Logits of both sub networks for all examples."""
    found = {0: np.asarray(bird, np.float32), 2: np.asarray(cat, np.float32)}
    return {s: SubLogits(np.arange(len(rows)), rows) for s, rows in found.items()}


def _decide(base, subs, policy, *, kind=SUPER):
    return decisions.decide(np.asarray(base), subs, MAP, base_kind=kind, policy=policy)


def _one(base, policy, *, kind=SUPER):
    """Decides for one example with these probabilities by the base; returns its fields."""
    routed = _decide(np.log([base]), _subs(BIRD, CAT), policy, kind=kind)
    return {name: field[0] for name, field in vars(routed).items()}


def _policies(kind):
    return st.builds(
        RoutingPolicy,
        top_k=st.integers(1, 4),
        tau=SHARES,
        temperatures=st.dictionaries(st.sampled_from(["bird", "cat"]), st.floats(0.25, 4)),
        early_exit=st.none() | SHARES if kind == FLAT else st.none(),
        base_weight=SHARES if kind == FLAT else st.just(0.0),
        abstain_below=SHARES,
    )


def _drawn(seed, kind, n=12):
    rng = np.random.default_rng(seed)
    base = rng.normal(size=(n, WIDTHS[kind])) * rng.choice([0.1, 2, 30])
    return base, _subs(rng.normal(size=(n, 3)), rng.normal(size=(n, 2)) * 3)


_each_kind = pytest.mark.parametrize("kind", [SUPER, FLAT])


@pytest.mark.parametrize(
    ("top_k", "tau", "expected"),
    [
        (1, 1.0, [1, 0, 0]),
        (2, 1.0, [1, 0, 1]),
        (3, 1.0, [1, 1, 1]),
        (9, 1.0, [1, 1, 1]),
        (3, 0.0, [1, 0, 0]),
        (3, 0.5, [1, 0, 0]),
        (3, 0.51, [1, 0, 1]),
        (3, 0.75, [1, 0, 1]),
        (3, 0.76, [1, 1, 1]),
    ],
)
def test_superclasses_are_opened_by_probability_up_to_tau(top_k, tau, expected):
    policy = RoutingPolicy(top_k=top_k, tau=tau)
    is_open = decisions.opened(np.array([[0.5, 0.25, 0.25]])[:, [0, 2, 1]], policy)
    # Of two as probable the first one comes first, so they are told apart by their order.
    expected = np.array([expected], bool)[:, [0, 2, 1]]
    np.testing.assert_array_equal(is_open, expected, strict=True)


def test_images_that_the_base_is_sure_of_open_nothing():
    labels = np.array([[0.8, 0.2, 0, 0, 0, 0], [0.4, 0.2, 0.4, 0, 0, 0], [0.5, 0, 0.5, 0, 0, 0]])
    is_open = decisions.opened(
        np.array([[0.8, 0.2, 0], [0.8, 0.2, 0], [1, 0, 0]]),
        RoutingPolicy(early_exit=0.5),
        base_label_probabilities=labels,
    )
    np.testing.assert_array_equal(is_open, [[0, 0, 0], [1, 0, 0], [0, 0, 0]])


@settings(deadline=None)
@given(st.integers(0, 1000), SHARES, SHARES, st.integers(1, 4))
def test_a_higher_tau_or_top_k_never_opens_fewer(seed, tau, other, top_k):
    p = softmax(np.random.default_rng(seed).normal(size=(8, 5)) * 2)
    low, high = sorted([tau, other])
    few = decisions.opened(p, RoutingPolicy(top_k=top_k, tau=low))
    assert np.all(few <= decisions.opened(p, RoutingPolicy(top_k=top_k, tau=high)))
    assert np.all(few <= decisions.opened(p, RoutingPolicy(top_k=top_k + 1, tau=low)))
    assert np.all(few[np.arange(8), p.argmax(axis=1)])


def test_scores_by_hand():
    p = np.array([[0.42, 0.28, 0.3], [0.42, 0.28, 0.3]])
    is_open = np.array([[1, 1, 0], [0, 1, 1]], bool)
    subs = _subs(BIRD.repeat(2, 0), CAT.repeat(2, 0))
    # The logits of birds divided by 2: 1, 4, 16 become 1, 2, 4.
    policy = RoutingPolicy(temperatures={"bird": 2})
    scores = decisions.label_scores(p, is_open, subs, MAP, policy=policy)
    expected = [[0.06, 0.28, 0.12, 0, 0, 0.24], [0, 0.28, 0, 0.27, 0.03, 0]]
    np.testing.assert_allclose(scores, expected, rtol=1e-6)


def test_scores_with_a_flat_base_by_hand():
    base = np.array([[0.1, 0.2, 0.3, 0, 0.4, 0], [0.1, 0.2, 0.3, 0, 0.4, 0]])
    scores = decisions.label_scores(
        np.array([[0.4, 0.2, 0.4], [0.4, 0.2, 0.4]]),
        np.array([[0, 0, 1], [0, 0, 0]], bool),
        _subs(np.zeros((0, 3)), CAT),
        MAP,
        policy=RoutingPolicy(base_weight=0.25),
        base_label_probabilities=base,
    )
    expected = [[0.025, 0.05, 0.075, 0.27, 0.1 + 0.03, 0], base[1]]
    np.testing.assert_allclose(scores, expected, rtol=1e-6)


@_each_kind
@settings(deadline=None)
@given(data=st.data(), seed=st.integers(0, 1000))
def test_scores_sum_to_the_probability_that_was_opened(kind, data, seed):
    policy = data.draw(_policies(kind))
    base, subs = _drawn(seed, kind)
    p = superclass_probabilities(base, MAP, base_kind=kind)
    labels = softmax(base) if kind == FLAT else None
    is_open = decisions.opened(p, policy, base_label_probabilities=labels)
    scores = decisions.label_scores(
        p, is_open, subs, MAP, policy=policy, base_label_probabilities=labels
    )
    two_stage = np.sum(p * is_open, axis=1)
    weight = np.where(is_open.any(axis=1), policy.base_weight, 1) if kind == FLAT else 0
    np.testing.assert_allclose(scores.sum(axis=1), weight + (1 - weight) * two_stage)
    assert scores.shape == (12, 6)
    assert scores.dtype == np.float64


@_each_kind
@settings(max_examples=200, deadline=None)
@given(data=st.data(), n=st.integers(0, 4))
def test_hard_routing_is_what_it_was_whatever_the_logits(kind, data, n):
    def draw(width):
        numbers = st.floats(width=32, allow_nan=False, allow_infinity=False)
        return data.draw(hnp.arrays(np.float32, (n, width), elements=numbers))

    base, subs = draw(WIDTHS[kind]), _subs(draw(3), draw(2))
    routed = _decide(base, subs, HARD, kind=kind)
    superclass = superclass_probabilities(base, MAP, base_kind=kind).argmax(axis=1)
    np.testing.assert_array_equal(routed.superclass, superclass, strict=True)
    expected = bounds.two_stage_labels(superclass, subs, MAP)
    np.testing.assert_array_equal(routed.label, expected, strict=True)
    np.testing.assert_array_equal(routed.opened, np.arange(3) == superclass[:, None])


def test_logits_decide_where_probabilities_underflow_or_are_equal():
    # exp(-1e-30) is 1, so both cats are as probable; exp(-1e4) is 0.
    base = np.array([[-1e4, -1e4, 0], [1e4, -1e4, 0]], np.float32)
    routed = _decide(base, _subs([[0, 0, 0], [-1e4, 0, -1e4]], [[-1e-30, 0], [0, 0]]), HARD)
    np.testing.assert_array_equal(routed.label, [4, 2])
    np.testing.assert_allclose(routed.subclass_probability, [0.5, 1])


def test_a_second_superclass_can_win():
    got = _one([0.4, 0.25, 0.35], RoutingPolicy(top_k=2))
    # Birds: 0.4 x 16/21 = 0.305; cats: 0.35 x 0.9 = 0.315.
    assert [got["superclass"], got["subclass"], got["label"]] == [2, 0, 3]
    assert got["superclass_probability"] == pytest.approx(0.35)
    assert got["subclass_probability"] == pytest.approx(0.9)
    np.testing.assert_array_equal(got["opened"], [True, False, True])
    assert _one([0.4, 0.25, 0.35], HARD)["label"] == 5
    # A cooler bird network is surer than the cats'.
    cooler = RoutingPolicy(top_k=2, temperatures={"bird": 0.5})
    assert _one([0.4, 0.25, 0.35], cooler)["label"] == 5


def test_a_single_label_has_the_probability_of_its_superclass():
    got = _one([0.3, 0.6, 0.1], RoutingPolicy(top_k=2))
    assert [got["superclass"], got["subclass"], got["label"]] == [1, 0, 1]
    assert got["superclass_probability"] == np.float32(0.6)
    assert got["subclass_probability"] == 1


@pytest.mark.parametrize(("below", "label"), [(0.3, 3), (0.314, 3), (0.316, -1), (1.0, -1)])
def test_an_answer_that_is_too_unsure_is_the_most_probable_superclass(below, label):
    got = _one([0.4, 0.25, 0.35], RoutingPolicy(top_k=2, abstain_below=below))
    assert got["label"] == label
    if label == -1:
        assert [got["superclass"], got["subclass"], got["subclass_probability"]] == [0, -1, 0]
        assert got["superclass_probability"] == pytest.approx(0.4)
    assert got["opened"].tolist() == [True, False, True]


def test_an_early_exit_answers_as_the_base_does():
    base = [0.25, 0.1, 0.05, 0.05, 0.3, 0.25]
    got = _one(base, RoutingPolicy(early_exit=0.29), kind=FLAT)
    assert [got["superclass"], got["subclass"], got["label"]] == [2, 1, 4]
    assert got["superclass_probability"] == pytest.approx(0.35)
    assert got["subclass_probability"] == pytest.approx(0.3 / 0.35)
    assert not got["opened"].any()
    assert _one(base, RoutingPolicy(early_exit=0.31), kind=FLAT)["label"] == 5


def test_the_base_can_outweigh_a_superclass_that_was_opened():
    base = [0.25, 0.1, 0.05, 0.05, 0.3, 0.25]
    # Birds together: 0.55. Jay: 0.2 x 0.55 x 16/21 + 0.8 x 0.25 = 0.28; lion: 0.8 x 0.3 = 0.24.
    assert _one(base, RoutingPolicy(base_weight=0.8), kind=FLAT)["label"] == 5
    # With 0.95: jay 0.258, lion 0.285, of cats 0.95 x 0.35.
    got = _one(base, RoutingPolicy(base_weight=0.95), kind=FLAT)
    assert [got["superclass"], got["label"]] == [2, 4]
    assert got["superclass_probability"] == pytest.approx(0.95 * 0.35)
    assert got["subclass_probability"] == pytest.approx(0.3 / 0.35)
    assert got["opened"].tolist() == [True, False, False]


def test_scores_are_joint_probabilities_of_what_was_opened():
    got = _one([0.42, 0.28, 0.3], HARD)
    np.testing.assert_allclose(got["scores"], [0.02, 0, 0.08, 0, 0, 0.32], rtol=1e-6)
    # They stay when the answer is the superclass alone.
    got = _one([0.42, 0.28, 0.3], RoutingPolicy(top_k=3, abstain_below=0.9))
    np.testing.assert_allclose(got["scores"], [0.02, 0.28, 0.08, 0.27, 0.03, 0.32], rtol=1e-6)
    assert got["label"] == -1
    # An image that opened nothing has the scores of the flat base.
    base = [0.25, 0.1, 0.05, 0.05, 0.3, 0.25]
    got = _one(base, RoutingPolicy(early_exit=0.0), kind=FLAT)
    np.testing.assert_allclose(got["scores"], base, rtol=1e-6)


@_each_kind
@settings(deadline=None)
@given(data=st.data(), seed=st.integers(0, 1000))
def test_an_answer_is_the_largest_score(kind, data, seed):
    base, subs = _drawn(seed, kind)
    routed = _decide(base, subs, data.draw(_policies(kind)), kind=kind)
    has_label = routed.label >= 0
    of_label = routed.scores[np.arange(12), routed.label]
    np.testing.assert_array_equal(of_label[has_label], routed.scores.max(axis=1)[has_label])
    joint = routed.superclass_probability * routed.subclass_probability
    np.testing.assert_allclose(of_label[has_label], joint[has_label], rtol=1e-5)


@_each_kind
@settings(deadline=None)
@given(data=st.data(), seed=st.integers(0, 1000))
def test_decisions_follow_the_order_of_the_images(kind, data, seed):
    policy = data.draw(_policies(kind))
    base, subs = _drawn(seed, kind)
    order = np.random.default_rng(seed).permutation(len(base))
    moved = {s: SubLogits(np.argsort(order)[sub.indices], sub.logits) for s, sub in subs.items()}
    first = _decide(base, subs, policy, kind=kind)
    second = _decide(base[order], moved, policy, kind=kind)
    for field in dataclasses.fields(first):
        expected = getattr(first, field.name)[order]
        # A matrix product may add up in another order.
        np.testing.assert_allclose(getattr(second, field.name), expected, rtol=1e-6)


@_each_kind
def test_a_batch_of_none_gives_an_empty_result(kind):
    policy = RoutingPolicy(top_k=2, abstain_below=0.5, early_exit=0.5 if kind == FLAT else None)
    routed = _decide(np.zeros((0, WIDTHS[kind]), np.float32), {}, policy, kind=kind)
    assert routed.opened.shape == (0, 3)
    assert routed.scores.shape == (0, 6)
    dtypes = [field.dtype for field in vars(routed).values()]
    assert dtypes == [np.int64, np.float32, np.int64, np.float32, np.int64, bool, np.float32]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"early_exit": 0.5},
            "early_exit is 0.5 and base_weight 0.0, expected None and 0: a super",
        ),
        ({"base_weight": 0.5}, "early_exit is None and base_weight 0.5"),
        ({"temperatures": {"dog": 2}}, "has 'dog', expected names out of bird, boat, cat"),
    ],
)
def test_policies_that_do_not_fit_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        _one([0.4, 0.25, 0.35], RoutingPolicy(**settings))


def test_missing_logits_are_refused():
    base = np.log([[0.4, 0.25, 0.35]])
    subs = _subs(BIRD, CAT)
    with pytest.raises(ValueError, match="'cat' gave no logits, expected 1 rows"):
        _decide(base, {0: subs[0]}, RoutingPolicy(top_k=2))
    with pytest.raises(ValueError, match="'bird' gave no logits for 1 of 2 routed examples"):
        _decide(base.repeat(2, 0), subs, HARD)
    with pytest.raises(ValueError, match="base_kind is 'scratch'"):
        _decide(base, subs, HARD, kind="scratch")
