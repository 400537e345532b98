"""The groupings of ImageNet that have a name: their roots, and which classes these get."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import NamedTuple


class NamedRoots(NamedTuple):
    """A grouping by its roots.

    Attributes:
      description: one line for people, with the source.
      rule: one of `groupings.RULES`.
      roots: superclass name -> wnid of its root, in the order of the superclasses.
    """

    description: str
    rule: str
    roots: Mapping[str, str]


# Wen et al., arXiv 2201.08098. The paper names no roots; with these, and the rule of the last
# parent, the numbers of its Table 1 come out: 52/6/10/8/116/7/7/27/13/7, together 253.
_PAPER = {
    "bird": "n01503061",
    "boat": "n02858304",
    "car": "n02958343",
    "cat": "n02120997",
    "dog": "n02084071",
    "fruit": "n13134947",
    "fungus": "n12992868",
    "insect": "n02159955",
    "monkey": "n02484322",
    "truck": "n04490091",
}

# The other groups are those that `common_superclass_wnid` of the `robustness` library gives
# (github.com/MadryLab/robustness, robustness/tools/imagenet_helpers.py). Its tree, too, keeps the
# last parent of every synset, and its notes give the same numbers of classes, but for 3 bears in
# geirhos_16, where its tree has 4. Its keyboards there are instruments, not those of computers.
_LIVING_9 = {
    "dog": "n02084071",
    "bird": "n01503061",
    "arthropod": "n01767661",
    "reptile": "n01661091",
    "primate": "n02469914",
    "fish": "n02512053",
    "feline": "n02120997",
    "bovid": "n02401031",
    "amphibian": "n01627424",
}
_MIXED_13 = {
    "dog": "n02084071",
    "bird": "n01503061",
    "insect": "n02159955",
    "furniture": "n03405725",
    "fish": "n02512053",
    "monkey": "n02484322",
    "car": "n02958343",
    "feline": "n02120997",
    "truck": "n04490091",
    "fruit": "n13134947",
    "fungus": "n12992868",
    "boat": "n02858304",
    "computer": "n03082979",
}
_GEIRHOS_16 = {
    "aircraft": "n02686568",
    "bear": "n02131653",
    "bicycle": "n02834778",
    "bird": "n01503061",
    "boat": "n02858304",
    "bottle": "n02876657",
    "car": "n02958343",
    "cat": "n02121808",
    "chair": "n03001627",
    "clock": "n03046257",
    "dog": "n02084071",
    "elephant": "n02503517",
    "keyboard_instrument": "n03614532",
    "knife": "n03623556",
    "oven": "n03862676",
    "truck": "n04490091",
}
_BIG_12 = {
    "dog": "n02084071",
    "structure": "n04341686",
    "bird": "n01503061",
    "clothing": "n03051540",
    "wheeled_vehicle": "n04576211",
    "reptile": "n01661091",
    "carnivore": "n02075296",
    "insect": "n02159955",
    "musical_instrument": "n03800933",
    "food": "n07555863",
    "furniture": "n03405725",
    "primate": "n02469914",
}

GROUPINGS: Mapping[str, NamedRoots] = types.MappingProxyType(
    {
        "superclassing": NamedRoots(
            "Superclassing ImageNet: 10 superclasses, 253 classes (arXiv 2201.08098, Table 1).",
            "last_parent",
            _PAPER,
        ),
        # 59/6/10/13/118/16/7/27/13/8 classes are below the roots, 277 in all. The minivan is
        # among them twice, as a car and as a truck; car is the first, so truck is left with 7.
        "all_parents": NamedRoots(
            "The roots of superclassing with all their classes: 276; the minivan is a car.",
            "first_root",
            _PAPER,
        ),
        "living_9": NamedRoots(
            "living_9 of the robustness library: 9 groups of animals, 312 classes.",
            "last_parent",
            _LIVING_9,
        ),
        "mixed_13": NamedRoots(
            "mixed_13 of the robustness library: 13 groups, 296 classes.", "last_parent", _MIXED_13
        ),
        "geirhos_16": NamedRoots(
            "geirhos_16 of the robustness library: 16 groups as in arXiv 1811.12231, 228 classes.",
            "last_parent",
            _GEIRHOS_16,
        ),
        "big_12": NamedRoots(
            "big_12 of the robustness library: 12 large groups, 502 classes.",
            "last_parent",
            _BIG_12,
        ),
    }
)
