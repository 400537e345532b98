import json
import math

import hypothesis
import pytest
from hypothesis import strategies as st

from ss_tf.routing import policy
from ss_tf.routing.policy import RoutingPolicy

FULL = RoutingPolicy(
    top_k=3,
    tau=0.9,
    temperatures={"ねこ": 1.5, "big cat": 2},
    early_exit=0.95,
    base_weight=0.25,
    abstain_below=0.1,
)
SHARES = st.floats(0, 1)


def _json(**changes):
    return json.dumps({**json.loads(FULL.to_json()), **changes})


def test_the_defaults_are_hard_routing():
    assert RoutingPolicy() == policy.HARD
    assert policy.HARD.top_k == 1
    assert (policy.HARD.early_exit, policy.HARD.base_weight, policy.HARD.abstain_below) == (
        None,
        0,
        0,
    )


def test_the_form_of_the_file():
    assert json.loads(FULL.to_json()) == {
        "version": 1,
        "top_k": 3,
        "tau": 0.9,
        "temperatures": {"ねこ": 1.5, "big cat": 2},
        "early_exit": 0.95,
        "base_weight": 0.25,
        "abstain_below": 0.1,
    }
    assert "ねこ" in FULL.to_json()


@hypothesis.given(
    st.builds(
        RoutingPolicy,
        top_k=st.integers(1, 1000),
        tau=SHARES,
        temperatures=st.dictionaries(st.sampled_from(["a", "b c", "ü"]), st.floats(1e-3, 1e3)),
        early_exit=st.none() | SHARES,
        base_weight=SHARES,
        abstain_below=SHARES,
    )
)
def test_reading_undoes_writing(drawn):
    assert RoutingPolicy.from_json(drawn.to_json()) == drawn


def test_a_policy_cannot_be_changed():
    given = {"bird": 2.0}
    made = RoutingPolicy(temperatures=given)
    given["bird"] = 3.0
    assert made.temperatures == {"bird": 2.0}
    with pytest.raises(TypeError):
        made.temperatures["bird"] = 3.0
    assert hash(made) == hash(RoutingPolicy())


def test_whole_numbers_become_floats():
    whole = dict.fromkeys(("tau", "early_exit", "base_weight", "abstain_below"), 1)
    made = RoutingPolicy.from_json(_json(**whole, temperatures={"a": 2}))
    assert made == RoutingPolicy(top_k=3, **whole, temperatures={"a": 2})
    assert {type(getattr(made, name)) for name in whole} == {float}
    assert type(made.temperatures["a"]) is float
    assert type(made.top_k) is int


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"top_k": 0}, "top_k is 0, expected a whole number from 1 to 1000"),
        ({"top_k": 1001}, "top_k is 1001"),
        ({"top_k": 2.0}, "top_k is 2.0"),
        ({"top_k": True}, "top_k is True"),
        ({"tau": 1.1}, r"tau is 1.1, expected a number in \[0, 1\]"),
        ({"tau": -0.1}, "tau is -0.1"),
        ({"tau": "1"}, "tau is '1'"),
        ({"tau": None}, "tau is None"),
        ({"early_exit": 2}, r"early_exit is 2, expected null or a number in \[0, 1\]"),
        ({"base_weight": 1.5}, "base_weight is 1.5"),
        ({"abstain_below": False}, "abstain_below is False"),
        ({"temperatures": [1.0]}, r"temperatures is \[1.0\], expected superclass name -> temp"),
        (
            {"temperatures": {"a": 0}},
            r"temperatures\['a'\] is 0, expected a number from 0.001 to 1000",
        ),
        ({"temperatures": {"a": -1}}, r"temperatures\['a'\] is -1"),
        ({"temperatures": {"../a": 1.0}}, r"Superclass '../a' cannot name a file"),
        ({"tau": [[[[[[[[1]]]]]]]] * 50}, r"tau is \[\[.*\.\.\..{0,99}$"),
    ],
)
def test_settings_out_of_range_or_of_another_type_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        RoutingPolicy(**change)
    with pytest.raises(ValueError, match=message):
        RoutingPolicy.from_json(_json(**change))


@pytest.mark.parametrize("name", ["tau", "early_exit", "base_weight", "abstain_below"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_are_refused(name, value):
    with pytest.raises(ValueError, match=f"{name} is -?(nan|inf)"):
        RoutingPolicy(**{name: value})
    with pytest.raises(ValueError, match=r"There is a -?(NaN|Infinity), expected finite numbers"):
        RoutingPolicy.from_json(_json(**{name: value}))
    with pytest.raises(ValueError, match=r"temperatures\['a'\] is -?(nan|inf)"):
        RoutingPolicy(temperatures={"a": value})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Expecting value"),
        ("[]", r"A routing policy is \[\], expected an object"),
        ("{}", "version of a routing policy is None, expected 1"),
        (_json(version=2), "version of a routing policy is 2, expected 1"),
        (_json(version=True), "version of a routing policy is True"),
        (_json(tua=1), r"lacks the fields \[\] and has \['tua'\]"),
        ('{"version": 1, "top_k": 1}', r"lacks the fields \['abstain_below', .* and has \[\]"),
        (_json()[:-1] + ', "tau": 0.5}', "field 'tau' is there twice"),
        (_json(temperatures={}).replace("{}", '{"a": 1, "a": 2}'), "field 'a' is there twice"),
        (_json(tau="1e999").replace('"1e999"', "1e999"), "There is a '1e999'"),
        ("[" * 100_000, "nested too deep"),
        (" " * (2**20 + 1), "has 1048577 characters, expected at most 1048576"),
    ],
    ids=range(12),
)
def test_other_texts_are_refused(text, message):
    with pytest.raises(ValueError, match=message) as caught:
        RoutingPolicy.from_json(text)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("depth", range(900, 1000, 5))
def test_deep_values_are_refused_whatever_their_depth(depth):
    with pytest.raises(ValueError, match=r"tau is|nested too deep"):
        RoutingPolicy.from_json(_json(tau="DEEP").replace('"DEEP"', "[" * depth + "]" * depth))
