import pytest

from ss_tf.models import state_dict_names

# Read off printed state dicts of Hugging Face's ResNets; right, where torchvision has the tensor.
_HUGGING_FACE = {
    "resnet.embedder.embedder.convolution.weight": "conv1.weight",
    "resnet.embedder.embedder.normalization.running_var": "bn1.running_var",
    "resnet.encoder.stages.0.layers.0.layer.0.convolution.weight": "layer1.0.conv1.weight",
    "resnet.encoder.stages.2.layers.35.layer.2.normalization.bias": "layer3.35.bn3.bias",
    "resnet.encoder.stages.3.layers.0.shortcut.convolution.weight": "layer4.0.downsample.0.weight",
    "resnet.encoder.stages.3.layers.0.shortcut.normalization.running_mean": (
        "layer4.0.downsample.1.running_mean"
    ),
    "classifier.1.weight": "fc.weight",
    "classifier.1.bias": "fc.bias",
}


def test_hugging_faces_names_become_torchvisions():
    origins = state_dict_names.to_torchvision(_HUGGING_FACE)
    assert origins == {name: origin for origin, name in _HUGGING_FACE.items()}


def test_names_of_a_hugging_face_network_without_head_begin_one_room_lower():
    names = [name.removeprefix("resnet.") for name in _HUGGING_FACE if "classifier" not in name]
    expected = [name for name in _HUGGING_FACE.values() if not name.startswith("fc")]
    assert list(state_dict_names.to_torchvision(names)) == expected


@pytest.mark.parametrize(
    "wrapper", ["", "module.", "model.", "state_dict.", "timm_model.", "state_dict.module."]
)
def test_wrappers_are_left_out(wrapper):
    names = ["conv1.weight", "layer2.0.downsample.1.running_mean", "fc.bias"]
    origins = state_dict_names.to_torchvision(f"{wrapper}{name}" for name in names)
    assert origins == {name: f"{wrapper}{name}" for name in names}


def test_step_counters_are_left_out():
    names = [
        "bn1.num_batches_tracked",
        "resnet.embedder.embedder.normalization.num_batches_tracked",
    ]
    assert state_dict_names.to_torchvision(names) == {}


def test_other_names_stay_as_they_are():
    names = ["conv1.0.weight", "layer1.0.se.fc1.weight", "classifier.weight", "a.module.b"]
    assert state_dict_names.to_torchvision(names) == {name: name for name in names}


def test_two_tensors_of_one_meaning_are_refused():
    names = ["fc.weight", "classifier.1.weight"]
    message = r"fc\.weight and classifier\.1\.weight both stand for fc\.weight"
    with pytest.raises(ValueError, match=message):
        state_dict_names.to_torchvision(names)
