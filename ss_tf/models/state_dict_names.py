"""Names of a ResNet's tensors in PyTorch state dicts."""

from __future__ import annotations

import re
from collections.abc import Iterable

# What training scripts, wrappers and Hugging Face's head put in front of every name.
_WRAPPERS = re.compile(r"^(?:(?:module|model|state_dict|timm_model|resnet)\.)+")
# Batch norm's count of training steps; a network in use does not need it.
_STEP_COUNTER = ".num_batches_tracked"
_HF_STEM = re.compile(r"embedder\.embedder\.(convolution|normalization)\.(\w+)")
_HF_BLOCK = re.compile(
    r"encoder\.stages\.(\d+)\.layers\.(\d+)\."
    r"(?:layer\.(\d+)|shortcut)\.(convolution|normalization)\.(\w+)"
)
_HF_HEAD = re.compile(r"classifier\.1\.(\w+)")


def to_torchvision(names: Iterable[str]) -> dict[str, str]:
    """Returns torchvision's name of each tensor, and which of `names` it is.

    timm's names are torchvision's (`layer1.0.conv1.weight`). Those of Hugging Face's
    `ResNetForImageClassification` (`resnet.encoder.stages.0.layers.0.layer.0.convolution.weight`)
    are translated. Other names stay as they are.

    Args:
      names: of all tensors of a state dict; wrappers in front (`module.`, `model.`, ...) and batch
        norm's step counters are left out.

    Raises:
      ValueError: naming two tensors, if they have the same meaning.
    """
    origins = {}
    for name in names:
        if name.endswith(_STEP_COUNTER):
            continue
        translated = _from_hugging_face(_WRAPPERS.sub("", name))
        if translated in origins:
            raise ValueError(
                f"{origins[translated]} and {name} both stand for {translated}, expected one."
            )
        origins[translated] = name
    return origins


def _from_hugging_face(name: str) -> str:
    """Translates a name, if it is one of Hugging Face's."""
    if match := _HF_STEM.fullmatch(name):
        part, tensor = match.groups()
        return f"{'conv1' if part == 'convolution' else 'bn1'}.{tensor}"
    if match := _HF_HEAD.fullmatch(name):
        return f"fc.{match[1]}"
    if match := _HF_BLOCK.fullmatch(name):
        stage, block, layer, part, tensor = match.groups()
        is_convolution = part == "convolution"
        if layer is None:
            place = f"downsample.{0 if is_convolution else 1}"
        else:
            place = f"{'conv' if is_convolution else 'bn'}{int(layer) + 1}"
        return f"layer{int(stage) + 1}.{int(block)}.{place}.{tensor}"
    return name
