import dataclasses
import json

import numpy as np
import pytest

from ss_tf.evaluation import metrics
from ss_tf.report import page_data


def _built(page_decisions, page_keys, page_map):
    return page_data.build(page_decisions, page_keys, page_map)


def test_counts_equal_the_confusion_matrix(page_decisions, page_keys, page_map):
    data = _built(page_decisions, page_keys, page_map)
    for system in ("flat", "hard"):
        counts = np.diag(data["right"][system])
        decided = data["decided"][system]["label"]
        for true, label in zip(data["images"]["true"], decided, strict=True):
            counts[true, label] += true != label
        expected = metrics.confusion(
            page_decisions.labels[system], page_decisions.true, num_classes=6
        )
        np.testing.assert_array_equal(counts, expected)


def test_only_images_that_a_shown_system_gets_wrong_are_named(page_decisions, page_keys, page_map):
    data = _built(page_decisions, page_keys, page_map)
    wrong = [0, 1, 2, 3, 4, 5, 6, 12, 16, 20]
    assert sorted(data["images"]["key"]) == [page_keys[index] for index in wrong]
    # wren -> owl is the largest cell, of flat.
    assert data["images"]["key"][:3] == page_keys[:3]


def test_systems_stand_in_the_order_of_the_figures(page_decisions, page_keys, page_map):
    data = _built(page_decisions, page_keys, page_map)
    assert [system["id"] for system in data["systems"]] == ["flat", "hard"]
    assert [system["label"] for system in data["systems"]] == ["flat", "hard (efficient)"]


def test_labels_are_ordered_by_superclass(page_decisions, page_keys, page_map):
    assert _built(page_decisions, page_keys, page_map)["order"] == [0, 2, 5, 1, 4, 3]


def test_probabilities_are_thousandths_of_the_same_images(page_decisions, page_keys, page_map):
    data = _built(page_decisions, page_keys, page_map)
    place = data["images"]["key"].index("validation/20.png")
    superclass, both = page_decisions.probabilities["hard"][20]
    assert data["decided"]["hard"]["superclass"][place] == round(1000 * superclass)
    assert data["decided"]["hard"]["both"][place] == round(1000 * both)
    assert data["decided"]["flat"]["superclass"] is None


def test_probabilities_that_are_undefined_become_none(page_decisions, page_keys, page_map):
    probabilities = page_decisions.probabilities["hard"].copy()
    probabilities[0, 1] = np.nan
    changed = dataclasses.replace(page_decisions, probabilities={"hard": probabilities})
    data = page_data.build(changed, page_keys, page_map)
    place = data["images"]["key"].index(page_keys[0])
    assert data["decided"]["hard"]["both"][place] is None
    json.dumps(data, allow_nan=False)


def test_keys_of_other_images_are_refused(page_decisions, page_map):
    with pytest.raises(ValueError, match="3 keys, expected one for each of the 24 images"):
        page_data.build(page_decisions, ["a", "b", "c"], page_map)
