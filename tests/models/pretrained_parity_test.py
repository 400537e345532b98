"""Our ResNets against two implementations in PyTorch, with the same random weights.

Needs `pip install -e .[parity]`. Run as a script, it writes the numbers that docs/PRETRAINED.md
quotes; with --golden, also the small networks that pretrained_test.py checks without PyTorch:

  python tests/models/pretrained_parity_test.py
"""

import argparse
import json
import pathlib
import platform
import tempfile

import numpy as np
import pytest
import safetensors.numpy
import tf_keras as keras

from ss_tf import config
from ss_tf.models import pretrained, resnet

_REASON = "needs PyTorch and transformers: pip install -e .[parity]"
torch = pytest.importorskip("torch", reason=_REASON)
transformers = pytest.importorskip("transformers", reason=_REASON)
import safetensors.torch  # noqa: E402  (it needs torch)

_ROOT = pathlib.Path(__file__).parents[2]
_RESULTS = _ROOT / "docs" / "results" / "pretrained_parity.json"
_GOLDEN = pathlib.Path(__file__).parent / "golden"
_TOLERANCE = 1e-4
_COMMAND = "python tests/models/pretrained_parity_test.py"
_NUM_CLASSES = 1000
_BACKBONES = ("resnet18", "resnet50", "resnet152")


class _ConvBN(torch.nn.Sequential):
    """A convolution and batch norm, named `0` and `1`."""

    def __init__(self, inputs, outputs, size, stride):
        convolution = torch.nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)
        super().__init__(convolution, torch.nn.BatchNorm2d(outputs))


class _Block(torch.nn.Module):
    """A residual block with torchvision's names; `layers` are (outputs, size, stride)."""

    def __init__(self, inputs, layers):
        super().__init__()
        self.num_layers = len(layers)
        outputs, stride = layers[-1][0], max(stride for _, _, stride in layers)
        if stride > 1 or inputs != outputs:
            self.downsample = _ConvBN(inputs, outputs, 1, stride)
        for number, (width, size, stride) in enumerate(layers, start=1):
            convolution, norm = _ConvBN(inputs, width, size, stride)
            self.add_module(f"conv{number}", convolution)
            self.add_module(f"bn{number}", norm)
            inputs = width

    def forward(self, x):
        shortcut = self.downsample(x) if hasattr(self, "downsample") else x
        for number in range(1, self.num_layers + 1):
            x = self.get_submodule(f"bn{number}")(self.get_submodule(f"conv{number}")(x))
            if number < self.num_layers:
                x = torch.relu(x)
        return torch.relu(x + shortcut)


class _Torchvision(torch.nn.Module):
    """A ResNet with torchvision's geometry and names, written down from its documentation."""

    def __init__(self, model_config, num_classes):
        super().__init__()
        width = inputs = model_config.base_width
        self.conv1, self.bn1 = _ConvBN(3, width, 7, 2)
        for stage, blocks in enumerate(model_config.blocks):
            stack = torch.nn.Sequential()
            for block in range(blocks):
                filters, stride = width * 2**stage, 2 if stage and not block else 1
                layers = [(filters, 3, stride), (filters, 3, 1)]
                if not _is_basic(model_config):
                    layers = [(filters, 1, 1), (filters, 3, stride), (4 * filters, 1, 1)]
                stack.append(_Block(inputs, layers))
                inputs = layers[-1][0]
            self.add_module(f"layer{stage + 1}", stack)
        self.fc = torch.nn.Linear(inputs, num_classes)

    def forward(self, images):
        x = torch.relu(self.bn1(self.conv1(images)))
        x = torch.nn.functional.max_pool2d(x, 3, 2, 1)
        outputs = []
        for stage in (1, 2, 3, 4):
            x = self.get_submodule(f"layer{stage}")(x)
            outputs.append(x)
        return [*outputs, self.fc(x.mean((2, 3)))]


class _HuggingFace(torch.nn.Module):
    """The ResNet of `transformers`."""

    def __init__(self, model_config, num_classes):
        super().__init__()
        width, is_basic = model_config.base_width, _is_basic(model_config)
        hugging_face_config = transformers.ResNetConfig(
            embedding_size=width,
            hidden_sizes=[width * 2**stage * (1 if is_basic else 4) for stage in range(4)],
            depths=list(model_config.blocks),
            layer_type="basic" if is_basic else "bottleneck",
            num_labels=num_classes,
        )
        self.network = transformers.ResNetForImageClassification(hugging_face_config)

    def forward(self, images):
        result = self.network(images, output_hidden_states=True)
        return [*result.hidden_states[1:], result.logits]


def _is_basic(model_config):
    return model_config.backbone in ("resnet18", "resnet34")


def _randomize(module, seed):
    """Draws all weights and statistics, so that activations stay near 1 at any depth.

    He's scale keeps a convolution's output at its input's size. Each block adds its branch to its
    shortcut: gammas below 1 keep 50 such sums from growing without bound.
    """
    rng = np.random.default_rng(seed)
    for name, tensor in module.state_dict().items():
        shape = tuple(tensor.shape)
        if len(shape) == 4:
            values = rng.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape)
        elif len(shape) == 2:
            values = rng.normal(0, 0.1, shape)
        elif name.endswith("running_var"):
            values = rng.uniform(0.5, 2, shape)
        elif name.endswith("weight"):
            values = rng.uniform(0.4, 0.8, shape)
        elif shape:
            values = rng.normal(0, 0.2, shape)
        else:
            values = rng.integers(1, 9)
        tensor.copy_(torch.as_tensor(values))


_LIBRARIES = {"transformers": _HuggingFace, "torchvision's names": _Torchvision}


def _reference(library, model_config, *, num_classes, seed):
    """Returns a randomly weighted network in evaluation mode."""
    module = _LIBRARIES[library](model_config, num_classes).eval()
    _randomize(module, seed)
    return module


def _save(module, folder):
    """Writes the weights as their library does, and returns the file."""
    if isinstance(module, _HuggingFace):
        module.network.save_pretrained(folder)
    else:
        safetensors.torch.save_file(module.state_dict(), folder / "model.safetensors")
    return folder / "model.safetensors"


def _torch_outputs(module, images):
    """Returns the four stages' outputs, channels last, and the logits."""
    with torch.no_grad():
        outputs = module(torch.as_tensor(images).permute(0, 3, 1, 2))
    *stages, logits = [output.numpy() for output in outputs]
    return [*(np.moveaxis(stage, 1, -1) for stage in stages), logits]


def _our_outputs(path, images, model_config, *, num_classes):
    """Returns the same of our network, with weights from a file."""
    model = resnet.build_resnet(
        model_config, num_classes=num_classes, image_size=images.shape[1], channels=3
    )
    assert pretrained.load(path, into=model) == ()
    relu = "relu2" if _is_basic(model_config) else "relu3"
    ends = [f"layer{s}.{blocks - 1}.{relu}" for s, blocks in enumerate(model_config.blocks, 1)]
    outputs = [model.get_layer(name).output for name in ends]
    return [x.numpy() for x in keras.Model(model.input, [*outputs, model.output])(images)]


def _model_config(backbone, *, blocks=None, width=64):
    return config.ModelConfig(
        backbone=backbone, resnet_blocks=blocks, base_width=width, stem="imagenet"
    )


def _compare(library, backbone, folder):
    """Returns stages' and logits' largest values, and largest differences as shares of these."""
    model_config = _model_config(backbone)
    images = np.random.default_rng(0).normal(size=(2, 224, 224, 3)).astype(np.float32)
    seed = list(_LIBRARIES).index(library)
    module = _reference(library, model_config, num_classes=_NUM_CLASSES, seed=seed)
    path = _save(module, folder)
    expected = _torch_outputs(module, images)
    got = _our_outputs(path, images, model_config, num_classes=_NUM_CLASSES)
    names = ["layer1", "layer2", "layer3", "layer4", "logits"]
    largest = {name: np.abs(x).max() for name, x in zip(names, expected, strict=True)}
    differences = {
        name: np.abs(x - y).max() / largest[name]
        for name, x, y in zip(names, got, expected, strict=True)
    }
    return largest, differences


@pytest.mark.slow
@pytest.mark.parametrize("library", _LIBRARIES)
@pytest.mark.parametrize("backbone", _BACKBONES)
def test_stages_and_logits_are_those_of_the_other_implementation(library, backbone, tmp_path):
    largest, differences = _compare(library, backbone, tmp_path)
    # Neither vanishing nor exploding activations would show what a block adds to its shortcut.
    assert all(0.1 < value < 100 for value in largest.values())
    assert max(differences.values()) < _TOLERANCE


# Blocks with and without shortcut convolution, and odd sides (40, 20, 10, 5, 3, 2), where a
# padding on the wrong side shows.
_GOLDEN_NETWORKS = {
    "basic": ("transformers", _model_config("resnet18", blocks=(1, 2, 1, 1), width=4)),
    "bottleneck": ("torchvision's names", _model_config("resnet50", blocks=(1, 2, 1, 1), width=4)),
}


def _write_golden(name):
    library, model_config = _GOLDEN_NETWORKS[name]
    module = _reference(library, model_config, num_classes=10, seed=2)
    images = np.random.default_rng(3).normal(size=(2, 40, 40, 3)).astype(np.float32)
    *stages, logits = _torch_outputs(module, images)
    tensors = {f"layer{number}": stage for number, stage in enumerate(stages, start=1)}
    tensors = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    outputs = safetensors.numpy.save({"images": images, "logits": logits, **tensors})
    (_GOLDEN / f"{name}_outputs.safetensors").write_bytes(outputs)
    with tempfile.TemporaryDirectory() as folder:
        weights = _save(module, pathlib.Path(folder)).read_bytes()
    (_GOLDEN / f"{name}.safetensors").write_bytes(weights)


def _write_results():
    rows = []
    for backbone in _BACKBONES:
        for library in _LIBRARIES:
            with tempfile.TemporaryDirectory() as folder:
                largest, differences = _compare(library, backbone, pathlib.Path(folder))
            row = {
                "backbone": backbone,
                "reference": library,
                "largest": {name: float(f"{x:.3g}") for name, x in largest.items()},
                "relative_difference": {name: float(f"{x:.1e}") for name, x in differences.items()},
            }
            print(json.dumps(row), flush=True)
            rows.append(row)
    results = {
        "command": _COMMAND,
        "versions": {
            "python": platform.python_version(),
            **{m.__name__: m.__version__ for m in (torch, transformers, np, keras)},
        },
        "images": "2, normal noise, 224x224x3",
        "relative_difference": "largest absolute difference / largest absolute value, float32",
        "tolerance": _TOLERANCE,
        "networks": rows,
    }
    _RESULTS.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--golden", action="store_true", help="also write the golden files")
    if parser.parse_args().golden:
        for golden_name in _GOLDEN_NETWORKS:
            _write_golden(golden_name)
    _write_results()
