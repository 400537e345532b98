import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.routing import decisions, fit_policy
from ss_tf.routing.policy import HARD, RoutingPolicy
from ss_tf.routing.probabilities import FLAT, SUPER, superclass_probabilities
from ss_tf.routing.sub_logits import SubLogits

# Labels of bird: 0, 2, 5; of boat: 1; of cat: 3, 4.
MAP = SuperclassMap(
    superclass_names=("bird", "boat", "cat"),
    label_names=("owl", "tug", "hen", "tabby", "lion", "jay"),
    superclass_of_label=(0, 1, 0, 2, 2, 0),
)
SUPERCLASS, SUBCLASS = np.array(MAP.superclass_of_label), np.array(MAP.subclass_of_label())


def _minival(*, base, sub, kind=SUPER, n=300, seed=0):
    """Logits that are right by so much, among normal noise; sub logits of others are noise."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 6, n)
    true = SUPERCLASS[labels] if kind == SUPER else labels
    width = 3 if kind == SUPER else 6
    base_logits = rng.normal(size=(n, width)) + base * np.eye(width)[true]
    subs = {}
    for superclass, size in ((0, 3), (2, 2)):
        logits = rng.normal(size=(n, size)).astype(np.float32)
        own = np.flatnonzero(SUPERCLASS[labels] == superclass)
        logits[own, SUBCLASS[labels[own]]] += sub
        subs[superclass] = SubLogits(np.arange(n), logits)
    return base_logits, subs, labels


def _fit(data, *, kind=SUPER, **limits):
    return fit_policy.fit(*data, MAP, base_kind=kind, **limits)


def _summary(data, policy, *, kind=SUPER):
    return fit_policy.summarise(*data, MAP, base_kind=kind, policy=policy)


def test_a_summary_by_hand():
    base = np.log([[0.5, 0.2, 0.3], [0.2, 0.5, 0.3], [0.1, 0.2, 0.7], [0.5, 0.1, 0.4]])
    rows = np.log([[1, 2, 1], [1, 1, 1], [1, 1, 1], [1, 1, 2]])
    subs = {0: SubLogits(np.arange(4), rows), 2: SubLogits(np.arange(4), np.log([[1, 9]] * 4))}
    labels = np.array([2, 1, 3, 4])
    # Answers of hard routing: hen, tug (no sub network), lion, jay.
    assert _summary((base, subs, labels), HARD) == fit_policy.Summary(0.5, 0.75, 0.0)
    # The second superclasses are cat, cat, boat (no sub network), cat; lion wins in all rows but
    # the second, a tug.
    two = RoutingPolicy(top_k=2)
    assert _summary((base, subs, labels), two) == fit_policy.Summary(0.5, 1.5, 0.0)
    unsure = RoutingPolicy(abstain_below=1.0)
    assert _summary((base, subs, labels), unsure).accuracy == 0


def test_a_summary_counts_early_exits():
    base = np.log([[0.5, 0.1, 0.1, 0.1, 0.1, 0.1], [0.2, 0.2, 0.2, 0.2, 0.1, 0.1]])
    subs = {0: SubLogits(np.array([1]), np.array([[9.0, 0, 0]]))}
    policy = RoutingPolicy(early_exit=0.4)
    found = _summary((base, subs, np.array([0, 2])), policy, kind=FLAT)
    assert found == fit_policy.Summary(accuracy=0.5, sub_networks=0.5, early_exits=0.5)


def test_hard_routing_wins_where_it_is_as_good():
    data = _minival(base=20, sub=3)
    policy = _fit(data)
    assert [policy.top_k, policy.tau, policy.early_exit] == [1, 0, None]
    assert _summary(data, policy).accuracy == _summary(data, HARD).accuracy


@pytest.mark.parametrize("most_opened", [1.0, 1.1, 1.5, 2.0])
def test_a_second_superclass_is_opened_within_the_budget(most_opened):
    # The base is unsure; only the right sub network is sure of itself.
    data = _minival(base=1.5, sub=12)
    policy = _fit(data, most_opened=most_opened)
    p = superclass_probabilities(data[0], MAP, base_kind=SUPER)
    assert decisions.opened(p, policy).sum(axis=1).mean() <= most_opened
    if most_opened == 1:
        assert [policy.top_k, policy.tau] == [1, 0]
    else:
        assert policy.top_k == 2
        assert _summary(data, policy).accuracy > _summary(data, HARD).accuracy


def test_a_larger_budget_is_never_worse():
    data = _minival(base=1.5, sub=12)
    limits = [(1, 3.0), (2, 1.0), (2, 2.0), (3, 3.0)]
    found = [_summary(data, _fit(data, top_k=k, most_opened=most)).accuracy for k, most in limits]
    assert found == sorted(found)
    assert found[0] == found[1] < found[2]


@pytest.mark.parametrize("kind", [SUPER, FLAT])
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 100), base=st.floats(0, 4), sub=st.floats(0, 6))
def test_a_fitted_policy_is_at_least_as_good_as_hard_routing(kind, seed, base, sub):
    data = _minival(base=base, sub=sub, kind=kind, n=80, seed=seed)
    policy = _fit(data, kind=kind, top_k=3, most_opened=1.3)
    summary = _summary(data, policy, kind=kind)
    assert summary.accuracy >= _summary(data, HARD, kind=kind).accuracy
    assert summary.sub_networks <= 1.3
    assert RoutingPolicy.from_json(policy.to_json()) == policy


def test_only_logits_that_top_k_may_open_are_needed():
    base, subs, labels = _minival(base=1.5, sub=3)
    p = superclass_probabilities(base, MAP, base_kind=SUPER)
    reached = decisions.opened(p, RoutingPolicy(top_k=2))
    few = {}
    for superclass, sub in subs.items():
        rows = np.flatnonzero(reached[:, superclass])
        few[superclass] = SubLogits(rows[::-1], sub.logits[rows[::-1]])
    policy = _fit((base, few, labels))
    assert policy.tau == _fit((base, subs, labels)).tau
    assert _summary((base, few, labels), policy).accuracy > 0
    with pytest.raises(ValueError, match="'cat' gave no logits"):
        _fit((base, {0: few[0]}, labels))


def test_temperatures_come_from_each_superclasss_own_images():
    base, subs, labels = _minival(base=3, sub=2, n=3000)
    # Four times too sure, and a superclass with too few images.
    subs[0] = SubLogits(subs[0].indices, subs[0].logits * 4)
    keep = np.flatnonzero((SUPERCLASS[labels] != 2) | (np.cumsum(SUPERCLASS[labels] == 2) < 20))
    few = {s: SubLogits(np.arange(len(keep)), sub.logits[keep]) for s, sub in subs.items()}
    policy = _fit((base[keep], few, labels[keep]))
    assert set(policy.temperatures) == {"bird"}
    cooler = _fit((base, {**subs, 0: SubLogits(subs[0].indices, subs[0].logits / 2)}, labels))
    assert set(cooler.temperatures) == {"bird", "cat"}
    assert cooler.temperatures["bird"] == pytest.approx(policy.temperatures["bird"] / 2, rel=0.1)


def test_a_base_gets_weight_where_it_knows_better():
    # Sub networks that guess, against a base that is mostly right.
    data = _minival(base=3, sub=0, kind=FLAT)
    policy = _fit(data, kind=FLAT)
    assert policy.base_weight > 0
    helped = _summary(data, policy, kind=FLAT).accuracy
    assert helped > _summary(data, HARD, kind=FLAT).accuracy


def test_a_base_gets_no_weight_where_sub_networks_are_right():
    data = _minival(base=4, sub=20, kind=FLAT)
    assert _fit(data, kind=FLAT, most_opened=1.0).base_weight == 0


def test_all_images_exit_early_where_the_base_is_always_right():
    data = _minival(base=20, sub=20, kind=FLAT, n=1000)
    policy = _fit(data, kind=FLAT)
    assert _summary(data, policy, kind=FLAT) == fit_policy.Summary(1.0, 0.0, 1.0)


def test_images_too_few_to_know_the_losses_by_do_not_exit_early():
    data = _minival(base=20, sub=20, kind=FLAT, n=999)
    assert _fit(data, kind=FLAT).early_exit is None


@pytest.mark.parametrize(("count", "tau"), [(1, 0.0), (2, 0.65)])
def test_a_second_superclass_is_opened_for_more_than_one_standard_error(count, tau):
    # Of 20 birds the base is sure; of the last `count`, cats it takes for birds, it is not.
    base = np.log([[0.9, 0.05, 0.05]] * 20 + [[0.4, 0.3, 0.3 + 0.001]] * count)
    birds = np.array([[9.0, 0, 0]] * 20 + [[0, 0, 0]] * count)
    subs = {
        0: SubLogits(np.arange(20 + count), birds),
        2: SubLogits(np.arange(20 + count), np.tile([9.0, 0], (20 + count, 1))),
    }
    policy = _fit((base, subs, np.array([0] * 20 + [3] * count)), most_opened=1.5)
    assert policy.tau == pytest.approx(tau, abs=0.001)
    assert policy.top_k == (2 if tau else 1)


def test_a_base_gets_no_weight_for_a_single_image():
    # Two owls among 20 that both say are hens; only one of them the base knows, if averaged.
    base = np.log([[0.1, 0.05, 0.7, 0.05, 0.05, 0.05]] * 20 + [[0.5, 0.1, 0.1, 0.1, 0.1, 0.1]])
    rows = np.log([[0.1, 0.8, 0.1]] * 20 + [[0.45, 0.5, 0.05]])
    subs = {0: SubLogits(np.arange(21), rows), 2: SubLogits(np.arange(21), np.zeros((21, 2)))}
    labels = np.array([2] * 20 + [0])
    once = _fit((base, subs, labels), kind=FLAT, most_opened=1.0)
    assert once.base_weight == 0
    again = np.r_[np.arange(21), 20]
    twice = {s: SubLogits(np.arange(22), sub.logits[again]) for s, sub in subs.items()}
    assert _fit((base[again], twice, labels[again]), kind=FLAT, most_opened=1.0).base_weight > 0


def test_no_image_exits_early_where_the_base_is_sure_and_wrong():
    # It says lion (0.6) of all tabbies, which the sub network knows.
    base = np.log(np.tile([0.05, 0.05, 0.1, 0.1, 0.6, 0.1], (1000, 1)))
    subs = {
        0: SubLogits(np.arange(1000), np.zeros((1000, 3))),
        2: SubLogits(np.arange(1000), np.tile([9.0, 0], (1000, 1))),
    }
    policy = _fit((base, subs, np.full(1000, 3)), kind=FLAT)
    assert policy.early_exit is None
    assert policy.base_weight == 0


@pytest.mark.parametrize("apply", [_fit, lambda data: _summary(data, HARD)], ids=["fit", "summary"])
@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros(3, int), r"shape \(3,\) for base logits of shape \(2, 3\), expected one per"),
        (np.array([0, 6]), r"Labels are 0\.\.6, expected 0\.\.5"),
        (np.array([-1, 0]), r"Labels are -1\.\.0"),
    ],
)
def test_labels_that_do_not_fit_are_refused(apply, labels, message):
    with pytest.raises(ValueError, match=message):
        apply((np.zeros((2, 3)), {}, labels))


def test_no_images_are_refused():
    with pytest.raises(ValueError, match="one image at least"):
        _fit((np.zeros((0, 3)), {}, np.zeros(0, int)))


@pytest.mark.parametrize("most_opened", [0.9, np.nan])
def test_a_budget_of_less_than_one_superclass_is_refused(most_opened):
    with pytest.raises(ValueError, match=f"most_opened is {most_opened}, expected at least 1"):
        _fit(_minival(base=1, sub=1), most_opened=most_opened)
