import numpy as np
import pytest
import tensorflow as tf

from ss_tf.models import variables


def test_copies_on_other_devices_have_the_variables_name():
    for name in ("conv1/kernel", "quant_conv1/kernel", "quant_conv1/kernel/replica_12"):
        assert variables.name_of(tf.Variable(0.0, name=name)) == "conv1/kernel"


def test_names_do_not_depend_on_the_networks_built_before(build_small):
    first, second = build_small(), build_small()
    assert list(variables.by_name(first)) == list(variables.by_name(second))


def test_float_and_quantized_form_share_their_names(float_model, qat_model, other_head_qat_model):
    names = set(variables.by_name(qat_model))
    assert set(variables.by_name(other_head_qat_model)) == names
    ranges = {name for name in names if name.endswith(("_min", "_max"))}
    assert names - ranges == set(variables.by_name(float_model))
    assert {"image/output_min", "conv1/kernel_max", "fc/post_activation_max"} <= ranges


def test_assign_undoes_values_by_name(build_small):
    model, other = build_small(seed=0), build_small(seed=1)
    variables.assign(other, variables.values_by_name(model))
    for mine, theirs in zip(model.weights, other.weights, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.pop("fc/bias"), r"fc/bias is missing, expected shape \(5,\)"),
        (lambda v: v.update(odd=np.zeros(2)), r"odd of shape \(2,\) is no variable"),
        (
            lambda v: v.update({"fc/kernel": np.zeros((32, 7))}),
            r"fc/kernel has shape \(32, 7\), expected \(32, 5\)",
        ),
    ],
)
def test_assign_refuses_other_tensors_and_changes_nothing(build_small, change, message):
    model = build_small()
    values = {name: np.zeros_like(value) for name, value in variables.values_by_name(model).items()}
    change(values)
    before = variables.values_by_name(model)
    with pytest.raises(ValueError, match=message):
        variables.assign(model, values)
    for name, value in variables.values_by_name(model).items():
        np.testing.assert_array_equal(value, before[name])
