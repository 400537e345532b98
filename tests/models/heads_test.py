import numpy as np
import pytest

from ss_tf.models import heads, int8_grid, integer_network, variables


def test_resize_fills_up_with_zeros_and_cuts_again(float_model):
    tensors = variables.values_by_name(float_model)
    wide = heads.resize(tensors, 9)
    assert wide["fc/kernel"].shape == (32, 9)
    np.testing.assert_array_equal(wide["fc/bias"][:5], tensors["fc/bias"])
    assert not wide["fc/kernel"][:, 5:].any()
    assert not wide["fc/bias"][5:].any()
    for name, tensor in heads.resize(wide, 5).items():
        np.testing.assert_array_equal(tensor, tensors[name], strict=True)


def test_a_wider_quantized_head_gives_the_same_logits(qat_model, other_head_qat_model, images):
    int8_grid.snap(qat_model)
    network = int8_grid.to_integer(qat_model, {})
    int8_grid.assign_integer(heads.resize_network(network, 7), other_head_qat_model)
    np.testing.assert_array_equal(
        other_head_qat_model(images, training=False)[:, :5], qat_model(images, training=False)
    )


def test_resizing_a_network_back_restores_its_digest(qat_model):
    int8_grid.snap(qat_model)
    network = int8_grid.to_integer(qat_model, {})
    again = heads.resize_network(heads.resize_network(network, 9), 5)
    assert integer_network.digest(again) == integer_network.digest(network)


def test_select_takes_the_columns_of_classes_in_order():
    tensors = {
        "fc/kernel": np.array([[0.0, 1, 2], [3, 4, 5]]),
        "fc/bias": np.array([6.0, 7, 8]),
        "bn1/gamma": np.ones(3),
    }
    selected = heads.select(tensors, [2, 0])
    np.testing.assert_array_equal(selected["fc/kernel"], [[2, 0], [5, 3]])
    np.testing.assert_array_equal(selected["fc/bias"], [8, 6])
    np.testing.assert_array_equal(selected["bn1/gamma"], np.ones(3))


@pytest.mark.parametrize("num_classes", [5, 9])
def test_resize_leaves_its_argument_alone(float_model, num_classes):
    tensors = variables.values_by_name(float_model)
    before = {name: tensor.copy() for name, tensor in tensors.items()}
    heads.resize(tensors, num_classes)["fc/bias"][:] = 0
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(tensor, before[name], strict=True)
