"""The numbers of images that the paper's Table 1 gives, and what differs from them."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow_datasets as tfds

from ss_tf.hierarchy import paper_table_1

# Training and validation images of each superclass.
IMAGES = {name: (row.train, row.validation) for name, row in paper_table_1.ROWS.items()}


def differences(splits: Mapping[str, tfds.core.SplitInfo]) -> list[str]:
    """Returns a line for each superclass whose numbers of images are not those of the paper."""
    lines = []
    for superclass, expected in IMAGES.items():
        got = tuple(splits[f"{part}_{superclass}"].num_examples for part in ("train", "validation"))
        if got != expected:
            lines.append(
                f"Superclass {superclass!r} has {got[0]:,} training and {got[1]:,} validation "
                f"images, expected {expected[0]:,} and {expected[1]:,} (Table 1 of arXiv "
                "2201.08098): is this all of ILSVRC2012?"
            )
    return lines
