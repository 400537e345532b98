import pathlib

import numpy as np
import pytest
import safetensors.numpy
import tf_keras as keras
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ss_tf import config
from ss_tf.models import pretrained, resnet, variables

# Written by `python tests/models/pretrained_parity_test.py --golden`: networks with random weights
# and statistics, `basic` of Hugging Face's transformers, `bottleneck` with torchvision's names.
_GOLDEN = pathlib.Path(__file__).parent / "golden"
_BACKBONES = {"basic": "resnet18", "bottleneck": "resnet50"}
_HEAD = ("fc/bias", "fc/kernel")


def _build(name, *, num_classes=10, stem="imagenet", channels=3):
    model_config = config.ModelConfig(
        backbone=_BACKBONES[name], resnet_blocks=(1, 2, 1, 1), base_width=4, stem=stem
    )
    return resnet.build_resnet(
        model_config, num_classes=num_classes, image_size=40, channels=channels
    )


@pytest.fixture(scope="module")
def basic():
    """A network of `basic`'s shape; tests set its variables before they use them."""
    return _build("basic")


def _state_dict(name="basic"):
    return safetensors.numpy.load_file(_GOLDEN / f"{name}.safetensors")


def _save(folder, state_dict):
    safetensors.numpy.save_file(state_dict, folder / "model.safetensors")
    return folder / "model.safetensors"


def _spoil(model):
    """Sets all variables to values that no file has."""
    variables.assign(
        model,
        {name: np.full(v.shape, 0.125, np.float32) for name, v in variables.by_name(model).items()},
    )


def _is_spoilt(model, names):
    values = variables.values_by_name(model)
    return all(np.all(values[name] == 0.125) for name in names)


@pytest.mark.parametrize("name", _BACKBONES)
def test_stages_and_logits_are_pytorchs(name):
    expected = safetensors.numpy.load_file(_GOLDEN / f"{name}_outputs.safetensors")
    model = _build(name)
    _spoil(model)
    assert pretrained.load(_GOLDEN / f"{name}.safetensors", into=model) == ()
    ends = {"layer1": "layer1.0", "layer2": "layer2.1", "layer3": "layer3.0", "layer4": "layer4.0"}
    relu = "relu2" if name == "basic" else "relu3"
    outputs = {stage: model.get_layer(f"{end}.{relu}").output for stage, end in ends.items()}
    got = keras.Model(model.input, {**outputs, "logits": model.output})(expected["images"])
    for key, value in got.items():
        difference = np.abs(value - expected[key]).max() / np.abs(expected[key]).max()
        assert difference < 1e-4, key


def test_networks_in_mixed_precision_are_set_alike(basic):
    _spoil(basic)
    mixed = resnet.in_mixed_precision(basic)
    for model in (basic, mixed):
        pretrained.load(_GOLDEN / "basic.safetensors", into=model)
    values = variables.values_by_name(mixed)
    for name, expected in variables.values_by_name(basic).items():
        assert values[name].dtype == np.float32
        np.testing.assert_array_equal(values[name], expected, err_msg=name)


def test_every_variable_is_set_as_pytorch_lays_it_out(basic):
    _spoil(basic)
    pretrained.load(_GOLDEN / "basic.safetensors", into=basic)
    tensors, values = _state_dict(), variables.values_by_name(basic)
    kernel = tensors["resnet.encoder.stages.1.layers.0.shortcut.convolution.weight"]
    for i, j in np.ndindex(kernel.shape[:2]):
        assert values["layer2.0.downsample.0/kernel"][0, 0, j, i] == kernel[i, j, 0, 0]
    stem = tensors["resnet.embedder.embedder.convolution.weight"]
    assert values["conv1/kernel"][5, 2, 1, 3] == stem[3, 1, 5, 2]
    assert values["fc/kernel"][7, 9] == tensors["classifier.1.weight"][9, 7]
    norm = "resnet.encoder.stages.3.layers.0.layer.1.normalization"
    for ours, theirs in [
        ("gamma", "weight"),
        ("beta", "bias"),
        ("moving_mean", "running_mean"),
        ("moving_variance", "running_var"),
    ]:
        np.testing.assert_array_equal(values[f"layer4.0.bn2/{ours}"], tensors[f"{norm}.{theirs}"])
    assert not any(np.any(value == 0.125) for value in values.values())


def test_an_npz_file_with_wrapped_names_loads_the_same(basic, tmp_path):
    pretrained.load(_GOLDEN / "basic.safetensors", into=basic)
    expected = variables.values_by_name(basic)
    np.savez(tmp_path / "a.npz", **{f"module.{k}": v for k, v in _state_dict().items()})
    _spoil(basic)
    assert pretrained.load(str(tmp_path / "a.npz"), into=basic) == ()
    for name, value in variables.values_by_name(basic).items():
        np.testing.assert_array_equal(value, expected[name])


@pytest.mark.parametrize("num_classes", [3, 11])
def test_a_head_for_other_classes_stays_as_it_was(num_classes):
    model = _build("basic", num_classes=num_classes)
    _spoil(model)
    assert pretrained.load(_GOLDEN / "basic.safetensors", into=model) == _HEAD
    assert _is_spoilt(model, _HEAD)
    np.testing.assert_array_equal(
        variables.values_by_name(model)["bn1/beta"],
        _state_dict()["resnet.embedder.embedder.normalization.bias"],
    )


def test_without_a_head_in_the_file_the_networks_own_stays(basic, tmp_path):
    body = {
        name.removeprefix("resnet."): tensor
        for name, tensor in _state_dict().items()
        if not name.startswith("classifier")
    }
    _spoil(basic)
    assert pretrained.load(_save(tmp_path, body), into=basic) == _HEAD
    assert _is_spoilt(basic, _HEAD)
    assert not _is_spoilt(basic, ["conv1/kernel"])


_NAMES = sorted(name for name in _state_dict() if not name.endswith("num_batches_tracked"))


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_tensor_lost_added_or_cut_is_refused_by_name_and_nothing_is_set(basic, tmp_path, data):
    tensors = _state_dict()
    # Without both tensors of the head, or with fewer classes, a file is a good one.
    name = data.draw(st.sampled_from([name for name in _NAMES if name != "classifier.1.weight"]))
    fault = data.draw(st.sampled_from(["lost", "added", "cut"]))
    if fault == "lost":
        del tensors[name]
        # The file's name is lost with the tensor: the message has torchvision's.
        message = r"1 missing \((conv|bn|layer|fc).*\)\."
    elif fault == "added":
        tensors[f"{name}.again"] = tensors[name]
        message = rf"1 unexpected \({name}\.again\)\."
    else:
        tensors[name] = np.ascontiguousarray(tensors[name][1:])
        message = rf"1 of another shape \({name} \(.*\), expected \(.*\)\)\."
    _spoil(basic)
    with pytest.raises(ValueError, match=rf"model\.safetensors does not fit .*: {message}"):
        pretrained.load(_save(tmp_path, tensors), into=basic)
    assert _is_spoilt(basic, variables.by_name(basic))


def test_a_long_list_is_cut_and_counted(basic):
    message = r": 30 unexpected \((layer1\S+; ){3}\.\.\.\), 21 of another shape \((.*; ){3}\.\.\.\)"
    with pytest.raises(ValueError, match=message) as error:
        pretrained.load(_GOLDEN / "bottleneck.safetensors", into=basic)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 700


def test_other_stems_and_inputs_are_refused_with_both_shapes():
    stem = r"embedder\.convolution\.weight \(4, 3, 7, 7\), expected "
    for kwargs, shape in [
        ({"stem": "small"}, r"\(4, 3, 3, 3\)"),
        ({"channels": 1}, r"\(4, 1, 7, 7\)"),
    ]:
        with pytest.raises(ValueError, match=stem + shape):
            pretrained.load(_GOLDEN / "basic.safetensors", into=_build("basic", **kwargs))


# What timm's variants of a ResNet change in its state dict.
@pytest.mark.parametrize(
    ("change", "message"),
    [
        # resnet50d: three 3x3 convolutions instead of the 7x7.
        (
            lambda t: t.update({"conv1.0.weight": t.pop("conv1.weight")}),
            r"1 missing \(conv1\.weight\), 1 unexpected \(conv1\.0\.weight\)",
        ),
        # resnet50_gn: group norm has no statistics.
        (
            lambda t: [t.pop(name) for name in list(t) if "running" in name],
            r"\d+ missing \(bn1\.running_mean;",
        ),
        # resnext50_32x4d: grouped convolutions see fewer channels.
        (
            lambda t: t.update({"layer1.0.conv2.weight": t["layer1.0.conv2.weight"][:, :1].copy()}),
            r"layer1\.0\.conv2\.weight \(4, 1, 3, 3\), expected \(4, 4, 3, 3\)",
        ),
        # seresnet50: squeeze and excitation.
        (
            lambda t: t.update({"layer1.0.se.fc1.weight": np.ones(1, np.float32)}),
            r"1 unexpected \(layer1\.0\.se\.fc1\.weight\)",
        ),
    ],
)
def test_variants_of_the_resnet_are_refused(tmp_path, change, message):
    tensors = _state_dict("bottleneck")
    change(tensors)
    with pytest.raises(ValueError, match=message):
        pretrained.load(_save(tmp_path, tensors), into=_build("bottleneck"))


def test_a_value_that_is_not_finite_is_refused_by_name_and_nothing_is_set(basic, tmp_path):
    tensors = _state_dict()
    name = "resnet.encoder.stages.3.layers.0.layer.1.convolution.weight"
    tensors[name][0, 1, 2, 2] = np.nan
    _spoil(basic)
    with pytest.raises(ValueError, match=rf"{name} in .* has 1 values that are not finite"):
        pretrained.load(_save(tmp_path, tensors), into=basic)
    assert _is_spoilt(basic, variables.by_name(basic))


def test_a_network_with_other_kinds_of_variables_is_refused():
    # As a quantized network has them, which takes seconds to build.
    model = keras.Sequential([keras.Input((4,)), keras.layers.PReLU(name="act")])
    message = r"act/alpha has no counterpart in PyTorch, expected a float network"
    with pytest.raises(ValueError, match=message):
        pretrained.load(_GOLDEN / "basic.safetensors", into=model)


@pytest.mark.parametrize("name", ["weights.pth", "weights.h5", "none.safetensors"])
def test_a_file_that_cannot_be_read_changes_nothing(basic, name):
    _spoil(basic)
    with pytest.raises((ValueError, FileNotFoundError), match=name):
        pretrained.load(pathlib.Path("nowhere") / name, into=basic)
    assert _is_spoilt(basic, variables.by_name(basic))
