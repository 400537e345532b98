"""The paper's Table 1: subclasses and images of Superclassing ImageNet (arXiv 2201.08098)."""

from __future__ import annotations

from typing import NamedTuple


class Counts(NamedTuple):
    """A row of the table: subclasses, training images, and validation ("test") images."""

    subclasses: int
    train: int
    validation: int


# The paper's text has 311,279 training images in all; its table, 322,979, is what its grouping of
# ImageNet gives.
ROWS = {
    "bird": Counts(52, 67_441, 2_600),
    "boat": Counts(6, 7_706, 300),
    "car": Counts(10, 13_000, 500),
    "cat": Counts(8, 10_400, 400),
    "dog": Counts(116, 145_273, 5_800),
    "fruit": Counts(7, 9_100, 350),
    "fungus": Counts(7, 9_100, 350),
    "insect": Counts(27, 35_100, 1_350),
    "monkey": Counts(13, 16_900, 650),
    "truck": Counts(7, 8_959, 350),
}
