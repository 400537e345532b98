import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st

from ss_tf.models import int8_grid, integer_network, variables

_RANGES = st.floats(2.0**-30, 2.0**30, width=32)


def _kernel_names(model):
    return [name for name in variables.by_name(model) if name.endswith("/kernel")]


def _spread_kernels(model, *, factor):
    """Multiplies all kernels, so that above 1 the largest weights pass their ranges."""
    for name in _kernel_names(model):
        kernel = variables.by_name(model)[name]
        kernel.assign(kernel * factor)


def _snapped(model, *, factor=1.3):
    _spread_kernels(model, factor=factor)
    int8_grid.snap(model)
    return int8_grid.to_integer(model, {"network": "super"})


@hypothesis.given(_RANGES)
def test_scale_reaches_the_range_with_hardly_more_than_it(largest):
    reached = 127 * float(int8_grid.scale_of_range(np.float32(largest)))
    assert largest <= reached <= largest * (1 + 2**-15)


@hypothesis.given(_RANGES)
def test_multiples_of_a_scale_are_exact_in_float32(largest):
    scale = int8_grid.scale_of_range(np.float32(largest))
    steps = np.arange(-254, 255)
    np.testing.assert_array_equal(steps.astype(np.float32) * scale, steps * np.float64(scale))


@hypothesis.given(_RANGES)
def test_a_range_of_127_steps_has_that_scale(largest):
    scale = int8_grid.scale_of_range(np.float32(largest))
    assert np.float32(127 * scale) / np.float32(127) == scale
    assert int8_grid.scale_of_range(127 * scale) == scale


@hypothesis.given(st.integers(0, 2**32 - 1))
@hypothesis.settings(max_examples=20, deadline=None)
def test_fake_quantization_leaves_whole_steps_unchanged(seed):
    rng = np.random.default_rng(seed)
    scale = int8_grid.scale_of_range(np.exp(rng.normal(-3, 3, 64)).astype(np.float32))
    kernel = rng.integers(-127, 128, (50, 64)).astype(np.float32) * scale
    again = tf.quantization.fake_quant_with_min_max_vars_per_channel(
        kernel, -127 * scale, 127 * scale, narrow_range=True
    )
    np.testing.assert_array_equal(again, kernel)


def test_snapped_kernels_are_rounded_and_clipped_to_whole_steps(qat_model):
    _spread_kernels(qat_model, factor=1.3)
    before = variables.values_by_name(qat_model)
    network = _snapped(qat_model, factor=1)
    for name, integers in network.kernels.items():
        scale = before[f"{name}_max"].astype(np.float64) / 127
        steps = np.clip(before[name] / scale, -127, 127)
        # Within half a step; a hair more, because the quantizers multiply by a rounded 1 / scale.
        assert np.abs(integers - steps).max() <= 0.5 + 1e-4
        np.testing.assert_array_equal(variables.by_name(qat_model)[name], integers * scale)
        assert integers.min() == -127 or integers.max() == 127


def test_snapping_changes_no_output_and_twice_is_once(qat_model, images):
    _spread_kernels(qat_model, factor=1.3)
    logits = qat_model(images, training=False).numpy()
    int8_grid.snap(qat_model)
    np.testing.assert_array_equal(qat_model(images, training=False), logits)
    once = variables.values_by_name(qat_model)
    int8_grid.snap(qat_model)
    for name, value in variables.values_by_name(qat_model).items():
        assert value.tobytes() == once[name].tobytes()


def test_ranges_off_the_grid_are_widened_by_at_most_one_part_in_32768(qat_model):
    range_max = variables.by_name(qat_model)["conv1/kernel_max"]
    odd = np.float32([0.1, 0.2, 0.3, 0.7])
    range_max.assign(odd)
    int8_grid.snap(qat_model)
    assert np.all(range_max.numpy() >= odd)
    np.testing.assert_allclose(range_max.numpy(), odd, rtol=2**-15)


def test_a_kernel_of_zeros_snaps_to_zeros(qat_model, images):
    by_name = variables.by_name(qat_model)
    for name in ("conv1/kernel", "conv1/kernel_min", "conv1/kernel_max"):
        by_name[name].assign(tf.zeros_like(by_name[name]))
    int8_grid.snap(qat_model)
    assert not int8_grid.to_integer(qat_model, {}).kernels["conv1/kernel"].any()
    assert np.isfinite(qat_model(images, training=False)).all()


def test_clipped_share_counts_weights_beyond_their_channels_range(qat_model):
    assert int8_grid.clipped_share(qat_model) == 0
    by_name = variables.by_name(qat_model)
    kernel = by_name["conv1/kernel"].numpy()
    # conv1 has 3 x 3 x 1 weights in each of 4 channels: 9 + 1 of them are made too large.
    range_max = by_name["conv1/kernel_max"].numpy()
    kernel[..., 2] = -1.01 * range_max[2]
    kernel[0, 0, 0, 0] = 1.01 * range_max[0]
    by_name["conv1/kernel"].assign(kernel)
    by_name["fc/kernel"].assign(100 * by_name["fc/kernel"])
    total = sum(
        variable.shape.num_elements()
        for name, variable in by_name.items()
        if name.endswith("/kernel") and name != "fc/kernel"
    )
    assert int8_grid.clipped_share(qat_model) == 10 / total


def test_assigned_integers_give_the_same_network(qat_model, frozen_qat_model, images):
    network = _snapped(qat_model)
    int8_grid.assign_integer(network, frozen_qat_model)
    np.testing.assert_array_equal(
        frozen_qat_model(images, training=False), qat_model(images, training=False)
    )
    again = int8_grid.to_integer(frozen_qat_model, {})
    assert integer_network.digest(again) == integer_network.digest(network)


def test_a_file_loaded_back_gives_identical_logits(qat_model, frozen_qat_model, images, tmp_path):
    integer_network.save(_snapped(qat_model), tmp_path / "int8.safetensors")
    loaded = integer_network.load(tmp_path / "int8.safetensors")
    int8_grid.assign_integer(loaded, frozen_qat_model)
    np.testing.assert_array_equal(
        frozen_qat_model(images, training=False), qat_model(images, training=False)
    )


def test_assign_refuses_another_head(qat_model, other_head_qat_model):
    with pytest.raises(ValueError, match=r"fc/bias has shape \(5,\), expected \(7,\)"):
        int8_grid.assign_integer(_snapped(qat_model), other_head_qat_model)


@pytest.mark.parametrize("part", ["kernel", "kernel_min", "kernel_max"])
def test_reading_integers_refuses_a_kernel_off_its_grid(qat_model, part):
    int8_grid.snap(qat_model)
    variable = variables.by_name(qat_model)[f"layer2.0.conv1/{part}"]
    variable.assign(variable * 1.001)
    with pytest.raises(ValueError, match=r"layer2\.0\.conv1/kernel is not on an int8 grid"):
        int8_grid.to_integer(qat_model, {})


def test_float_weights_fit_the_float_network(qat_model, build_small):
    network = _snapped(qat_model)
    model = build_small(seed=1)
    variables.assign(model, int8_grid.float_weights(network))
    np.testing.assert_array_equal(
        model.get_layer("conv1").kernel, variables.by_name(qat_model)["conv1/kernel"]
    )


def test_start_from_takes_ranges_of_the_base_and_fits_the_heads(
    qat_model, other_head_qat_model, build_small
):
    base = _snapped(qat_model)
    weights = variables.values_by_name(build_small(num_classes=7, seed=2))
    int8_grid.start_from(other_head_qat_model, base=base, weights=weights)
    values = variables.values_by_name(other_head_qat_model)
    for name, weight in weights.items():
        np.testing.assert_array_equal(values[name], weight)
    ranges = {name for name in values if name.endswith(("_min", "_max"))}
    for name in ranges - {"fc/kernel_min", "fc/kernel_max"}:
        np.testing.assert_array_equal(values[name], variables.by_name(qat_model)[name])
    head_max = np.abs(weights["fc/kernel"]).max()
    np.testing.assert_allclose(values["fc/kernel_max"], head_max, rtol=2**-15)


def test_start_from_refuses_incomplete_weights(qat_model, other_head_qat_model, build_small):
    weights = variables.values_by_name(build_small(num_classes=7))
    del weights["layer1.0.bn1/gamma"]
    with pytest.raises(ValueError, match=r"layer1\.0\.bn1/gamma is missing"):
        int8_grid.start_from(other_head_qat_model, base=_snapped(qat_model), weights=weights)


def test_a_snapped_sub_network_has_the_bases_scales(qat_model, other_head_qat_model, build_small):
    base = _snapped(qat_model)
    weights = variables.values_by_name(build_small(num_classes=7, seed=2))
    int8_grid.start_from(other_head_qat_model, base=base, weights=weights)
    sub = _snapped(other_head_qat_model)
    for name, scale in base.scales.items():
        if not integer_network.is_head(name):
            np.testing.assert_array_equal(sub.scales[name], scale)


@pytest.mark.slow
def test_tflite_has_the_same_integers_up_to_the_sign_of_gamma(qat_model):
    network = _snapped(qat_model)
    converter = tf.lite.TFLiteConverter.from_keras_model(qat_model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    interpreter = tf.lite.Interpreter(model_content=converter.convert())
    tensors = {
        details["name"].partition("/quant_")[2].partition("/")[0]: details["index"]
        for details in interpreter.get_tensor_details()
        if "FakeQuantWithMinMaxVarsPerChannel" in details["name"] and len(details["shape"]) == 4
    }
    assert {f"{layer}/kernel" for layer in tensors} == set(network.kernels) - {"fc/kernel"}
    for layer, index in tensors.items():
        norm = layer.replace("conv", "bn").replace("downsample.0", "downsample.1")
        sign = np.sign(network.floats[f"{norm}/gamma"])
        expected = (network.kernels[f"{layer}/kernel"] * sign).transpose(3, 0, 1, 2)
        np.testing.assert_array_equal(interpreter.get_tensor(index), expected)
