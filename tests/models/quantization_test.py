import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from ss_tf.models import quantization, variables


def _train(model, images, *, steps=3):
    """Takes steps of SGD towards arbitrary labels in a compiled loop."""
    optimizer = keras.optimizers.SGD(0.02)
    labels = tf.range(len(images)) % model.output_shape[-1]

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            logits = model(images, training=True)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        gradients = tape.gradient(losses, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))

    for _ in range(steps):
        step()


def _changed(model, before):
    """Returns the names of variables whose bytes are not those of `before`."""
    now = variables.values_by_name(model)
    return {name for name in now if now[name].tobytes() != before[name].tobytes()}


def _names(model, *endings):
    return {name for name in variables.by_name(model) if name.endswith(endings)}


def _conv_ranges(model):
    return _names(model, "kernel_min", "kernel_max") - {"fc/kernel_min", "fc/kernel_max"}


@pytest.mark.slow
def test_quantize_copies_weights_and_leaves_the_float_model_alone(build_small, images):
    model = build_small()
    logits = model(images).numpy()
    qat_model = quantization.quantize(model, freeze_kernel_ranges=False)
    for name, variable in variables.by_name(model).items():
        np.testing.assert_array_equal(variables.by_name(qat_model)[name], variable)
    _train(qat_model, images, steps=1)
    np.testing.assert_array_equal(model(images), logits)


def test_kernel_ranges_start_at_each_channels_largest_weight(float_model, qat_model):
    values = variables.values_by_name(qat_model)
    for name, kernel in variables.values_by_name(float_model).items():
        if name.endswith("kernel"):
            axes = (0, 1, 2) if kernel.ndim == 4 else None
            largest = np.abs(kernel).max(axes)
            np.testing.assert_allclose(values[f"{name}_max"], largest, rtol=2**-15)
            np.testing.assert_array_equal(values[f"{name}_min"], -values[f"{name}_max"])
            assert np.all(values[f"{name}_max"] >= largest)


def test_first_inference_is_near_the_float_networks(float_model, qat_model, images):
    logits = float_model(images).numpy()
    error = np.abs(qat_model(images, training=False) - logits).max()
    # Each of the 8-bit roundings on the way is good to 0.4 % of its range.
    assert 0 < error < 0.05 * np.ptp(logits)


def test_trainable_variables_are_those_of_the_float_network(float_model, qat_model):
    assert [v.name for v in qat_model.trainable_variables] == [
        v.name for v in float_model.trainable_variables
    ]


@pytest.mark.slow
def test_frozen_kernel_ranges_stay_bit_equal_while_kernels_and_the_head_move(
    frozen_qat_model, images
):
    before = variables.values_by_name(frozen_qat_model)
    _train(frozen_qat_model, images)
    changed = _changed(frozen_qat_model, before)
    assert not changed & _conv_ranges(frozen_qat_model)
    assert changed >= _names(frozen_qat_model, "/kernel", "/gamma", "/beta", "fc/kernel_max")
    assert "layer4.0.relu2/output_max" in changed


@pytest.mark.slow
def test_unfrozen_kernel_ranges_follow_their_kernels(qat_model, images):
    before = variables.values_by_name(qat_model)
    _train(qat_model, images)
    moved = _changed(qat_model, before)
    for name in _names(qat_model, "kernel_max"):
        assert {name, name.replace("_max", "_min")} <= moved


def test_frozen_and_unfrozen_networks_infer_alike(qat_model, frozen_qat_model, images):
    np.testing.assert_array_equal(
        frozen_qat_model(images, training=False), qat_model(images, training=False)
    )


def test_calibrated_ranges_are_mean_extremes_of_the_float_network(float_model, qat_model, images):
    batches = [images[:2], images[2:4], images[4:]]
    quantization.calibrate(qat_model, batches, input_range=(-1.5, 2.5))
    values = variables.values_by_name(qat_model)
    for layer, tensor in [
        ("relu", "output"),
        ("layer2.0.downsample.1", "output"),
        ("fc", "post_activation"),
    ]:
        part = keras.Model(float_model.input, float_model.get_layer(layer).output)
        outputs = [part(batch).numpy() for batch in batches]
        highest = np.mean([x.max() for x in outputs])
        lowest = np.mean([x.min() for x in outputs])
        np.testing.assert_allclose(values[f"{layer}/{tensor}_max"], highest, rtol=1e-5)
        np.testing.assert_allclose(values[f"{layer}/{tensor}_min"], min(lowest, 0), rtol=1e-5)
    assert (values["image/output_min"], values["image/output_max"]) == (-1.5, 2.5)


def test_calibrate_changes_activation_ranges_only(qat_model, images):
    before = variables.values_by_name(qat_model)
    quantization.calibrate(qat_model, [images[:1]], input_range=(-2, 2))
    changed = _changed(qat_model, before)
    assert changed <= _names(qat_model, "_min", "_max") - _names(
        qat_model, "kernel_min", "kernel_max"
    )
    assert changed >= _names(qat_model, "relu2/output_max")


def test_calibrated_ranges_contain_zero(qat_model, images):
    variables.by_name(qat_model)["fc/bias"].assign([100.0] * 5)
    quantization.calibrate(qat_model, [images], input_range=(0.5, 2))
    values = variables.values_by_name(qat_model)
    assert values["fc/post_activation_min"] == 0
    assert values["fc/post_activation_max"] > 90
    assert values["image/output_min"] == 0


def test_calibrate_refuses_to_go_without_images(qat_model):
    with pytest.raises(ValueError, match="calibrate got no batch"):
        quantization.calibrate(qat_model, [], input_range=(-1, 1))


@pytest.mark.slow
@pytest.mark.parametrize("freeze", [False, True])
def test_a_replica_computes_and_trains_as_its_original(build_small, images, freeze):
    qat_model = quantization.quantize(build_small(), freeze_kernel_ranges=freeze)
    quantization.calibrate(qat_model, [images], input_range=(-9, 9))
    replica = quantization.replicate(qat_model)
    assert list(variables.by_name(replica)) == list(variables.by_name(qat_model))
    np.testing.assert_array_equal(replica(images), qat_model(images))
    for model in (qat_model, replica):
        _train(model, images)
    expected = variables.values_by_name(qat_model)
    for name, value in variables.values_by_name(replica).items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-4, atol=1e-5, err_msg=name)


def test_a_replicas_input_range_stays_whatever_it_sees(qat_model, images):
    """Replicas see different images: ranges that grow would part."""
    quantization.calibrate(qat_model, [images], input_range=(-1.5, 2.5))
    replica = quantization.replicate(qat_model)
    replica(100 * images, training=True)
    values = variables.values_by_name(replica)
    assert (values["image/output_min"], values["image/output_max"]) == (-1.5, 2.5)
