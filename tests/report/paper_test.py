import pytest

from ss_tf.report import paper


def test_two_stage_numbers_are_the_papers_relative_gains():
    flat = paper.TOP1_PERCENT["flat", "ResNet-18"]
    for system, gain in (("vanilla", 3.30), ("hard", 3.20)):
        number = paper.TOP1_PERCENT[system, "ResNet-18"]
        assert 100 * (number / flat - 1) == pytest.approx(gain)


@pytest.mark.parametrize(
    ("dataset", "is_its"),
    [("superclass_imagenet", True), ("superclass_typefaces", False), ("folder", False)],
)
def test_only_its_own_data_set_compares(dataset, is_its):
    assert paper.is_its_data(dataset) == is_its
