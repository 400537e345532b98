import re

import numpy as np
import pytest
from ai_edge_litert.compiled_model import CompiledModel, HardwareAccelerator
from ai_edge_litert.interpreter import Interpreter

from ss_tf import config
from ss_tf.edge import delta_layout, diff, patch
from ss_tf.export import gpu_operations, tflite
from ss_tf.models import heads, int8_grid, quantization, resnet, variables

_SMALL = config.ModelConfig(
    backbone="resnet18", resnet_blocks=(1, 1, 1, 1), base_width=4, stem="small"
)
_WIDTH = 6


def _build(num_classes, seed=0, *, is_subsampling=True):
    return resnet.build_resnet(
        _SMALL,
        num_classes=num_classes,
        image_size=16,
        channels=1,
        seed=seed,
        is_subsampling=is_subsampling,
    )


def _images():
    return np.random.default_rng(0).uniform(-1, 1, (8, 16, 16, 1)).astype(np.float32)


def _network(num_classes, seed):
    """Returns an integer network whose batch norm is that of no fresh network."""
    model = _build(num_classes, seed)
    rng = np.random.default_rng(seed)
    for name, variable in variables.by_name(model).items():
        if name.endswith(("gamma", "variance")):
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    qat = quantization.quantize(model, freeze_kernel_ranges=True)
    quantization.calibrate(qat, [_images()], input_range=(-1, 1))
    int8_grid.snap(qat)
    return int8_grid.to_integer(qat, {})


def _logits(content):
    runner = Interpreter(model_content=content).get_signature_runner(tflite.SIGNATURE)
    return np.concatenate([runner(image=image[np.newaxis])["logits"] for image in _images()])


@pytest.fixture(scope="module")
def networks():
    """Returns two networks with heads of different widths."""
    return [_network(num_classes, seed) for num_classes, seed in ((4, 0), (_WIDTH, 1))]


@pytest.fixture(scope="module")
def converted(networks):
    """Returns their .tflite files."""
    converter = tflite.Converter(_build(_WIDTH))
    return [converter.convert(network) for network in networks]


@pytest.mark.slow
def test_logits_are_keras_within_a_step_of_the_output(networks, converted):
    model = quantization.quantize(_build(_WIDTH), freeze_kernel_ranges=True)
    for network, content in zip(networks, converted, strict=True):
        int8_grid.assign_integer(heads.resize_network(network, _WIDTH), model)
        expected = model(_images(), training=False).numpy()
        found = _logits(content)
        by_name = variables.values_by_name(model)
        range_ = next(
            by_name[name] - by_name[name.replace("_max", "_min")]
            for name in by_name
            if name.startswith("fc/") and name.endswith("_max") and "kernel" not in name
        )
        # Integers of different layers round apart: a few steps of 256.
        np.testing.assert_allclose(found, expected, atol=4 * range_ / 255)
        assert found.shape == (8, _WIDTH)


@pytest.mark.slow
def test_networks_have_one_layout_and_deltas_restore_them(converted):
    base, sub = converted
    regions = tflite.check_same_layout({"base": base, "sub": sub})
    assert base != sub
    assert patch.apply(base, diff.make(base, sub, regions)) == sub
    names = [name for name, _ in tflite.regions(base)]
    assert any(name.startswith("scale of ") for name in names)
    assert any(name.startswith("zero point of ") for name in names)
    # Scales of biases are those of inputs times those of weights, in each convolution. The head's
    # bias is zero here, and left out.
    factors = [region.factors for region in regions if region.factors]
    kernels = [name for name in variables.by_name(_build(_WIDTH)) if name.endswith("kernel")]
    assert len(factors) == len(kernels) - 1
    delta = delta_layout.read(diff.make(base, sub, regions))
    words, products = ([g for g in delta.groups if g.bits == bits] for bits in (32, 64))
    # Within two units of the last place, so that they take a fraction of what other words do.
    folded = delta_layout.folded_differences(
        delta_layout.read_stream(
            products[0], delta_layout.inflate(products[0]), network_bytes=len(base)
        )
    )
    assert folded.max() <= 4
    assert len(products[0].stream) < len(words[0].stream) / 4
    # All int8 kernels are among them.
    int8_bytes = sum(region.length for _, region in tflite.regions(base) if not region.is_words)
    kernels = sum(
        variable.shape.num_elements()
        for name, variable in variables.by_name(_build(_WIDTH)).items()
        if name.endswith("kernel")
    )
    assert int8_bytes == kernels


@pytest.mark.slow
def test_other_differences_are_refused_by_name(converted):
    base = converted[0]
    schema = tflite.schema
    model = schema.Model.GetRootAs(base, 0)
    tensors = {tensor.Name().decode(): tensor for tensor in tflite._tensors(model)}
    # The axes that the average runs over are no weights.
    name = next(name for name in tensors if "reduction_indices" in name)
    values = model.Buffers(tensors[name].Buffer()).DataAsNumpy()
    place = tflite._address(values) - tflite._address(np.frombuffer(base, np.uint8))
    changed = base[:place] + bytes([base[place] ^ 1]) + base[place + 1 :]
    with pytest.raises(ValueError, match=r"base and sub differ in the tensor '.*reduction_ind"):
        tflite.check_same_layout({"base": base, "sub": changed})
    strided, graph = next(
        (operator, graph)
        for operator, graph in gpu_operations.operators(model)
        if schema.OperatorT.InitFromObj(operator).builtinOptionsType
        == schema.BuiltinOptions.Conv2DOptions
    )
    # Options of a convolution, and where its padding is kept.
    table = strided.BuiltinOptions()
    place = table.Pos + table.Offset(10)  # Field 3: the activation.
    assert place > table.Pos
    changed = base[:place] + bytes([base[place] ^ 1]) + base[place + 1 :]
    name = graph.Tensors(strided.Outputs(0)).Name().decode()
    with pytest.raises(ValueError, match=f"in the operation that gives '{re.escape(name)}'"):
        tflite.check_same_layout({"base": base, "sub": changed})
    with pytest.raises(ValueError, match="differ in the graph around their tensors"):
        tflite.check_same_layout({"base": base, "sub": base + b"\0"})


@pytest.mark.slow
def test_networks_that_gpus_get_wrong_are_refused(networks):
    converter = tflite.Converter(_build(_WIDTH, is_subsampling=False))
    with pytest.raises(ValueError, match=r"'resnet/.*downsample.*' .* has strides \(2, 2\)"):
        converter.convert(networks[1])


@pytest.mark.slow
def test_gpu_agrees(converted):
    try:
        model = CompiledModel.from_buffer(converted[1], hardware_accel=HardwareAccelerator.GPU)
    except RuntimeError:
        pytest.skip("There is no GPU here.")
    image, logits = (
        model.create_input_buffer_by_name(tflite.SIGNATURE, "image"),
        model.create_output_buffer_by_name(tflite.SIGNATURE, "logits"),
    )
    found = []
    for one in _images():
        image.write(one[np.newaxis])
        model.run_by_name(tflite.SIGNATURE, {"image": image}, {"logits": logits})
        found.append(logits.read(_WIDTH, np.float32))
    expected = _logits(converted[1])
    assert model.is_fully_accelerated()
    # Integers of different layers round apart; strides that are left out, everything else.
    np.testing.assert_allclose(found, expected, atol=0.1 * np.ptp(expected))


@pytest.mark.slow
def test_float16_is_near_the_float_network(networks):
    content = tflite.Converter(_build(_WIDTH), form="float16").convert(networks[1])
    model = _build(_WIDTH)
    variables.assign(model, int8_grid.float_weights(networks[1]))
    expected = model(_images(), training=False).numpy()
    np.testing.assert_allclose(_logits(content), expected, rtol=0.02, atol=0.02)
