"""Names of a run's networks for people, such as ResNet-18, from the flags kept in its results."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from ss_tf.config import BACKBONES

# Filters of the first stage in the networks that have these names elsewhere.
_USUAL_WIDTH = 64
_UNKNOWN = "unknown"


@dataclasses.dataclass(frozen=True)
class Names:
    """What the networks of a run are called.

    Attributes:
      backbone: the flat, super and sub networks: "ResNet-18".
      second_flat: the flat network of about the compute of two stages; None for a run without one.
      width: what follows the names of unusually narrow or wide networks, else "".
    """

    backbone: str
    second_flat: str | None
    width: str


def names(flags: Sequence[str]) -> Names:
    """Reads the names out of the entry `flags` of results.json.

    They are "unknown" if a flag is missing that tells what a network is.

    Raises:
      ValueError: if a flag has no such value.
    """
    values = dict(line.removeprefix("--").partition("=")[::2] for line in flags)
    if not {"backbone", "resnet_blocks", "flat_backbone", "base_width"} <= set(values):
        return Names(backbone=_UNKNOWN, second_flat=_UNKNOWN, width="")
    for flag in ("backbone", "flat_backbone"):
        if values[flag] not in (*BACKBONES, "twice", "none"):
            raise ValueError(f"--{flag} is {values[flag]!r}, expected one of {list(BACKBONES)}.")
    backbone = values["backbone"]
    width = int(values["base_width"])
    return Names(
        backbone=_resnet(backbone, _blocks(values)),
        second_flat=_second_flat(values),
        width="" if width == _USUAL_WIDTH else f", {width} filters",
    )


def _second_flat(values: Mapping[str, str]) -> str | None:
    """Returns the name of the network of --flat_backbone."""
    chosen = values["flat_backbone"]
    if chosen == "none":
        return None
    if chosen == "twice":
        return _resnet(values["backbone"], 2 * _blocks(values))
    return _resnet(chosen, sum(BACKBONES[chosen]))


def _blocks(values: Mapping[str, str]) -> int:
    """Returns the number of blocks of the network of --backbone."""
    given = [int(number) for number in values["resnet_blocks"].split(",") if number]
    return sum(given or BACKBONES[values["backbone"]])


def _resnet(backbone: str, num_blocks: int) -> str:
    """Returns the name of a network with the backbone's kind of blocks.

    As ever, it counts the convolutions of all blocks, the stem and the head.
    """
    layers = int(backbone.removeprefix("resnet"))
    per_block = (layers - 2) // sum(BACKBONES[backbone])
    return f"ResNet-{per_block * num_blocks + 2}"
