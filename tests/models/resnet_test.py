import numpy as np
import pytest
import tf_keras as keras

from ss_tf import config
from ss_tf.models import quantization, resnet, variables


def _build(backbone="resnet18", *, blocks=None, width=64, stem="imagenet", size=224, **kwargs):
    model_config = config.ModelConfig(
        backbone=backbone, resnet_blocks=blocks, base_width=width, stem=stem
    )
    arguments = {"num_classes": 1000, "channels": 3, **kwargs}
    return resnet.build_resnet(model_config, image_size=size, **arguments)


# torchvision.models, "Table of all available classification weights": parameters and GFLOPS
# (multiply-accumulates for one 224x224 image).
@pytest.mark.parametrize(
    ("backbone", "num_parameters", "giga_macs"),
    [
        ("resnet18", 11_689_512, 1.81),
        ("resnet34", 21_797_672, 3.66),
        ("resnet50", 25_557_032, 4.09),
        pytest.param("resnet101", 44_549_160, 7.80, marks=pytest.mark.slow),
        pytest.param("resnet152", 60_192_808, 11.51, marks=pytest.mark.slow),
    ],
)
def test_size_and_compute_are_torchvisions(backbone, num_parameters, giga_macs):
    model = _build(backbone)
    assert sum(v.shape.num_elements() for v in model.trainable_variables) == num_parameters
    assert round(resnet.count_macs(model) / 1e9, 2) == giga_macs


def test_macs_of_resnet18_by_hand():
    def convolution(size, outputs, inputs, side):
        return side**2 * outputs * inputs * size**2

    # A stage has four 3x3 convolutions; from the second on, the first of them halves the side and
    # doubles the filters, and so does the 1x1 convolution of the shortcut.
    macs = convolution(7, 64, 3, 112) + 4 * convolution(3, 64, 64, 56)
    for filters, side in [(128, 28), (256, 14), (512, 7)]:
        macs += convolution(3, filters, filters // 2, side)
        macs += 3 * convolution(3, filters, filters, side)
        macs += convolution(1, filters, filters // 2, side)
    macs += 512 * 1000
    assert resnet.count_macs(_build()) == macs == 1_814_073_344


def test_variables_have_torchvisions_layer_names():
    model = _build(width=2, size=32)
    names = {name.rpartition("/")[0] for name in variables.by_name(model)}
    expected = {"conv1", "bn1", "fc"}
    for stage in (1, 2, 3, 4):
        for block in (0, 1):
            prefix = f"layer{stage}.{block}"
            expected |= {f"{prefix}.{name}" for name in ("conv1", "bn1", "conv2", "bn2")}
        if stage > 1:
            expected |= {f"layer{stage}.0.downsample.{i}" for i in (0, 1)}
    assert names == expected


def test_bottleneck_has_its_stride_on_the_3x3_convolution():
    model = _build("resnet50", width=2, size=32)
    strides = [model.get_layer(f"layer2.0.conv{i}").strides for i in (1, 2, 3)]
    assert strides == [(1, 1), (2, 2), (1, 1)]
    assert model.get_layer("layer1.0.downsample.0").strides == (1, 1)


@pytest.mark.parametrize(
    ("source", "layer"), [("image", "conv1"), ("layer1.0.relu2", "layer2.0.conv1")]
)
def test_strided_convolutions_are_centred_on_even_pixels(source, layer):
    model = _build(blocks=(1, 1, 1, 1), width=3, size=32)
    part = keras.Model(model.get_layer(source).output, model.get_layer(layer).output)
    kernel = np.zeros(model.get_layer(layer).kernel.shape, np.float32)
    # A kernel that is 1 at its centre, from the first input channel to the first output channel.
    kernel[kernel.shape[0] // 2, kernel.shape[1] // 2, 0, 0] = 1
    model.get_layer(layer).set_weights([kernel])
    x = np.random.default_rng(0).normal(size=(2, *part.input_shape[1:])).astype(np.float32)
    np.testing.assert_array_equal(part(x)[..., 0], x[:, ::2, ::2, 0])


def test_max_pool_takes_3x3_windows_around_even_pixels():
    model = _build(blocks=(1, 1, 1, 1), width=1, size=16)
    pool = keras.Model(model.get_layer("relu").output, model.get_layer("maxpool").output)
    x = np.random.default_rng(0).uniform(0, 1, (1, 8, 8, 1)).astype(np.float32)
    padded = np.pad(x[0, ..., 0], 1, constant_values=-np.inf)
    expected = [
        [padded[i : i + 3, j : j + 3].max() for j in range(0, 8, 2)] for i in range(0, 8, 2)
    ]
    np.testing.assert_array_equal(pool(x)[0, ..., 0], expected)


@pytest.mark.parametrize(("stem", "sides"), [("imagenet", [8, 4, 2, 1]), ("small", [32, 16, 8, 4])])
def test_stem_decides_the_resolution_of_the_stages(stem, sides):
    model = _build(blocks=(1, 1, 1, 1), width=1, size=32, stem=stem)
    outputs = [model.get_layer(f"layer{stage}.0.relu2").output_shape[1] for stage in (1, 2, 3, 4)]
    assert outputs == sides


@pytest.mark.parametrize(
    ("backbone", "width", "expected"), [("resnet18", 64, 512), ("resnet50", 8, 256)]
)
def test_the_inputs_of_the_head_are_the_channels_of_the_last_stage(backbone, width, expected):
    model_config = config.ModelConfig(
        backbone=backbone, resnet_blocks=(1, 1, 1, 1), base_width=width, stem="small"
    )
    assert resnet.num_features(model_config) == expected
    model = _build(backbone, blocks=(1, 1, 1, 1), width=width, size=32)
    assert model.get_layer("fc").kernel.shape[0] == expected


@pytest.mark.parametrize("backbone", ["resnet18", "resnet50"])
def test_subsampling_gives_the_same_numbers_out_of_the_same_variables(backbone):
    arguments = {"blocks": (1, 1, 1, 1), "width": 4, "size": 33, "num_classes": 5}
    plain, subsampling = (
        _build(backbone, **arguments, is_subsampling=is_it) for is_it in (False, True)
    )
    values = variables.values_by_name(plain)
    for name, value in variables.values_by_name(subsampling).items():
        np.testing.assert_array_equal(value, values.pop(name))
    assert not values
    images = np.random.default_rng(0).normal(size=(2, 33, 33, 3)).astype(np.float32)
    np.testing.assert_allclose(subsampling(images), plain(images), rtol=1e-4, atol=1e-5)
    strides = [
        layer.strides
        for layer in subsampling.layers
        if isinstance(layer, keras.layers.Conv2D) and layer.kernel_size == (1, 1)
    ]
    assert set(strides) == {(1, 1)}


def test_resnet_blocks_replace_the_backbones_depth_but_not_its_block_kind():
    model = _build("resnet50", blocks=(1, 2, 1, 3), width=1, size=32)
    blocks = {
        layer.name.rpartition(".conv3")[0] for layer in model.layers if ".conv3" in layer.name
    }
    assert blocks == {f"layer{s}.{b}" for s, n in enumerate((1, 2, 1, 3), 1) for b in range(n)}


def test_initial_weights_are_a_function_of_seed_and_layer():
    models = [_build(blocks=(1, 1, 1, 1), width=4, size=16, seed=seed) for seed in (0, 0, 1)]
    first, again, other = (variables.values_by_name(model) for model in models)
    for name, value in first.items():
        np.testing.assert_array_equal(value, again[name])
    assert not np.array_equal(first["fc/kernel"], other["fc/kernel"])
    assert not np.array_equal(first["layer1.0.conv1/kernel"], first["layer1.0.conv2/kernel"])


def test_convolutions_start_with_he_normal_weights_of_the_fan_out():
    kernel = _build(width=64, size=16, blocks=(1, 1, 1, 1)).get_layer("layer2.0.conv2").kernel
    # Standard deviation sqrt(2 / (3 * 3 * 128)) = 0.0417, from 147,456 draws.
    assert np.std(kernel) == pytest.approx(0.0417, rel=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("stem", ["imagenet", "small"])
@pytest.mark.parametrize("backbone", ["resnet18", "resnet50"])
def test_both_block_kinds_and_stems_quantize(backbone, stem):
    model = _build(backbone, blocks=(1, 1, 1, 1), width=2, size=16, stem=stem, num_classes=3)
    qat_model = quantization.quantize(model, freeze_kernel_ranges=True)
    float_names, qat_names = set(variables.by_name(model)), set(variables.by_name(qat_model))
    ranges = {name for name in qat_names if name.endswith(("_min", "_max"))}
    assert qat_names - ranges == float_names


def test_a_network_for_any_size_is_the_same_network():
    sized, any_size = (_build(blocks=(1, 1, 1, 1), width=2, size=size) for size in (32, None))
    generator = np.random.default_rng(0)
    for side in (32, 48):
        images = generator.normal(size=(2, side, side, 3)).astype(np.float32)
        logits = any_size(images)
        assert logits.shape == (2, 1000)
        if side == 32:
            np.testing.assert_array_equal(logits, sized(images))


def test_mixed_precision_keeps_weights_names_and_logits_in_float32():
    model = _build(blocks=(1, 1, 1, 1), width=4, size=None, num_classes=5)
    mixed = resnet.in_mixed_precision(model)
    values, expected = variables.values_by_name(mixed), variables.values_by_name(model)
    assert list(values) == list(expected)
    for name, value in values.items():
        assert value.dtype == np.float32
        np.testing.assert_array_equal(value, expected[name])
    images = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype(np.float32)
    assert (
        keras.Model(mixed.input, mixed.get_layer("layer1.0.add").output)(images).dtype == "float16"
    )
    logits = mixed(images)
    assert logits.dtype == "float32"
    # Half precision has 11 bits.
    np.testing.assert_allclose(logits, model(images), rtol=0.02, atol=0.02)
    assert keras.mixed_precision.global_policy().name == "float32"


def test_layers_through_a_stage_are_those_before_the_next():
    model = _build(width=4, size=32)
    assert resnet.layers_through(model, None) == frozenset()
    stem = {"conv1.pad", "conv1", "bn1", "relu", "maxpool.pad", "maxpool"}
    assert resnet.layers_through(model, "stem") == stem
    shared = resnet.layers_through(model, "layer2")
    order = [layer.name for layer in model.layers][1:]
    assert set(order) - shared == {
        name for name in order if name.startswith(("layer3", "layer4", "avgpool", "fc"))
    }
