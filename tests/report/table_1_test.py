import pytest

from ss_tf.hierarchy import paper_table_1
from ss_tf.report import table_1


def test_images_are_counted_and_summed(measured):
    lines = table_1.markdown(measured).splitlines()
    assert lines[2] == "| superclass | subclasses | train | validation |"
    # 300 training and 60 minival images; validation is 240 images of 6 labels.
    assert "| bird $x_{ | 3 | 360 | 120 |" in lines
    assert lines[-1] == "| total | 6 | 720 | 240 |"


@pytest.fixture
def as_in_the_paper(measured):
    """Results of a run on all of Superclassing ImageNet, but for two images that are missing."""
    rows = paper_table_1.ROWS
    measured["dataset"] = "superclass_imagenet"
    measured["per_superclass"] = {
        name: {"num_subclasses": row.subclasses, "num_examples": row.validation}
        for name, row in rows.items()
    }
    measured["examples_by_superclass"] = {
        "train": {name: row.train - 1000 for name, row in rows.items()},
        "minival": {name: 1000 - 2 * (name == "dog") for name in rows},
    }
    return measured


def test_the_papers_counts_stand_beside_ours(as_in_the_paper):
    lines = table_1.markdown(as_in_the_paper).splitlines()
    assert lines[2].endswith("| paper: subclasses | paper: train | paper: validation |")
    assert "| dog | 116 | 145,271 | 5,800 | 116 | 145,273 | 5,800 |" in lines
    assert lines[-1] == "| total | 253 | 322,977 | 12,650 | 253 | 322,979 | 12,650 |"


def test_another_grouping_of_imagenet_has_no_numbers_of_the_paper(as_in_the_paper):
    as_in_the_paper["per_superclass"].pop("dog")
    assert "paper" not in table_1.markdown(as_in_the_paper)
