import numpy as np
import pytest

from ss_tf.evaluation.stored_predictions import superclasses_with_sub
from ss_tf.routing.policy import RoutingPolicy
from ss_tf.routing.sub_logits import SubLogits


def changed(mapping, key, value):
    return {**mapping, key: value}


def with_nan(array):
    array = array.copy()
    array[7, 1] = np.nan
    return array


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: {"base_kind": "tall"}, r"base_kind is 'tall', expected 'super' or 'flat'"),
        (lambda p: {"labels": p.labels.astype(np.int32)}, r"labels is int32 of shape \(60,\)"),
        (lambda p: {"labels": p.labels[:0]}, r"shape \(0,\), expected int64 of shape \(n,\)"),
        (lambda p: {"labels": p.labels + 1}, r"labels has 1 to 6, expected 0 to 5"),
        (lambda p: {"labels": p.labels - 1}, r"labels has -1 to 4, expected 0 to 5"),
        (lambda p: {"keys": p.keys[1:]}, r"59 keys, 59 of them different, for 60 labels"),
        (lambda p: {"keys": ("x",) * 60}, r"60 keys, 1 of them different, for 60 labels"),
        (
            lambda p: {"logits": changed(p.logits, ("sub/bird", "float"), p.labels)},
            r"logits of 'sub/bird' in 'float', expected",
        ),
        (
            lambda p: {"logits": changed(p.logits, ("flat_equal_compute", "int8"), p.labels)},
            r"logits of 'flat_equal_compute' in 'int8', expected",
        ),
        (
            lambda p: {"logits": changed(p.logits, ("flat", "float"), np.zeros((60, 6)))},
            r"Logits of flat float are float64 of shape \(60, 6\), expected float32",
        ),
        (
            lambda p: {"logits": {("super", "int8"): p.logits["flat", "float"]}},
            r"super int8 are float32 of shape \(60, 6\), expected float32 of shape \(60, 3\)",
        ),
        (
            lambda p: {"logits": {("flat", "float"): with_nan(p.logits["flat", "float"])}},
            r"Logits of flat float are not finite for image 7",
        ),
        (lambda p: {"subs": {"fp16": {}}}, r"sub logits in 'fp16' of the superclasses \[\]"),
        (
            lambda p: {"subs": {"int8": {0: p.subs["int8"][0]}}},
            r"sub logits in 'int8' of the superclasses \[0\], expected .* of \[0, 1\]",
        ),
        (
            lambda p: {"subs": {"int8": dict.fromkeys((0, 1), p.subs["int8"][0])}},
            r"sub/boat int8 are float32 of shape \(60, 3\), expected float32 of shape \(60, 2\)",
        ),
        (
            lambda p: {"policy": RoutingPolicy(abstain_below=0.5)},
            r"abstain_below 0.5, expected 0: each image",
        ),
        (lambda p: {"policy": RoutingPolicy(base_weight=0.5)}, r"a super base gives no"),
        (lambda p: {"policy": RoutingPolicy(temperatures={"x": 2})}, r"temperatures has 'x'"),
        (lambda p: {"facts": {"more": 1}}, r"facts lacks \['command', .*\] and has \['more'\]"),
    ],
)
def test_what_does_not_fit_together_is_refused_by_name(predictions, replace, change, message):
    with pytest.raises(ValueError, match=message):
        replace(predictions, **change(predictions))


@pytest.mark.parametrize(("place", "number"), [(0, -1), (59, 60)])
def test_indices_of_no_image_are_refused(predictions, replace, place, number):
    indices = np.arange(60)
    indices[place] = number
    subs = {**predictions.subs["int8"]}
    subs[0] = SubLogits(indices, subs[0].logits)
    with pytest.raises(ValueError, match=r"Indices of sub/bird int8 go from .* expected 0 to 59"):
        replace(predictions, subs={"int8": subs})


def test_large_logits_whose_sum_is_not_finite_are_taken(predictions, replace):
    # float32's largest: the sum of two is none, but each of them is.
    large = np.full((60, 6), np.finfo(np.float32).max)
    assert replace(predictions, logits={("flat", "float"): large}).logits


def test_superclass_with_one_label_has_no_sub_network(superclass_map):
    assert superclasses_with_sub(superclass_map) == {0: "bird", 1: "boat"}
