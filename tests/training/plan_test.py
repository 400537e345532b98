import numpy as np
import pytest

from ss_tf.data.examples import Examples
from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.training import plan

MAP = SuperclassMap.from_groups({"a": ["a/0", "a/1"], "b": ["b/0"], "c": ["c/0", "c/1", "c/2"]})
EXAMPLES = Examples(
    images=np.arange(6, dtype=np.uint8).reshape(6, 1, 1, 1),
    labels=np.array([5, 0, 1, 2, 3, 4]),
    keys=np.array(list("fabcde")),
)


def _names(config, stage, superclasses=("all",)):
    return plan.networks_of_stage(config, MAP, stage=stage, superclasses=superclasses)


def test_all_ends_with_the_sub_networks(run_config):
    assert _names(run_config(), "all") == ("flat", "flat_equal_compute", "super", "sub/a", "sub/c")
    assert _names(run_config(equal_compute_model=None), "flat") == ("flat",)


def test_a_superclass_with_one_subclass_has_no_network(run_config):
    assert _names(run_config(), "sub") == ("sub/a", "sub/c")
    assert _names(run_config(), "sub", ["b"]) == ()


def test_chosen_superclasses_are_trained_in_the_order_given(run_config):
    assert _names(run_config(), "sub", ["c", "a", "c"]) == ("sub/c", "sub/a")


def test_unknown_superclass_is_named(run_config):
    with pytest.raises(ValueError, match="'d', expected one of a, b, c"):
        _names(run_config(), "sub", ["d"])


def test_numbers_of_classes():
    names = ["flat", "flat_equal_compute", "super", "sub/a", "sub/c"]
    assert [plan.num_classes(name, MAP) for name in names] == [6, 6, 3, 2, 3]
    assert plan.widest_sub(MAP) == 3


def test_super_network_sees_all_images_with_superclasses():
    examples = plan.examples_of("super", EXAMPLES, MAP)
    np.testing.assert_array_equal(examples.labels, [2, 0, 0, 1, 2, 2])


def test_sub_network_sees_its_own_images_with_subclasses():
    examples = plan.examples_of("sub/c", EXAMPLES, MAP)
    np.testing.assert_array_equal(examples.keys, ["f", "d", "e"])
    np.testing.assert_array_equal(examples.labels, [2, 0, 1])


def test_flat_network_sees_everything_as_it_is():
    assert plan.examples_of("flat", EXAMPLES, MAP) is EXAMPLES
