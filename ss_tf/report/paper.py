"""What the paper measured on Superclassing ImageNet: Wen et al., arXiv 2201.08098.

Its Table 1 is `ss_tf/hierarchy/paper_table_1.py`.
"""

from __future__ import annotations

# Its data set here.
DATASET = "superclass_imagenet"

# (system, network) -> top-1 in percent, of 12,650 images. Its two-stage numbers of ResNet-18 are
# gains over flat: +3.30 % for vanilla, +3.20 % for efficient.
TOP1_PERCENT = {
    ("flat", "ResNet-18"): 71.18,
    ("oracle", "ResNet-18"): 75.07,
    ("vanilla", "ResNet-18"): 71.18 * 1.0330,
    ("hard", "ResNet-18"): 71.18 * 1.0320,
    ("flat", "ResNet-152"): 78.43,
    ("vanilla", "ResNet-152"): 84.63,
    ("flat", "ResNet-455"): 68.01,
}

# Form of a delta in results.json -> mean size ratio.
SIZE_RATIO = {"fp16_7z": 0.44, "int8_delta": 0.20}


def is_its_data(dataset: str) -> bool:
    """Tells whether the name of a data set is that of the paper's, in its own grouping."""
    return dataset == DATASET
