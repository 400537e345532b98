"""Tests of the comparison with the paper's numbers."""

from unittest import mock

from tfds_superclass.superclass_imagenet import table_1


def test_table_sums_to_the_papers_totals():
    assert [sum(column) for column in zip(*table_1.IMAGES.values(), strict=True)] == [
        322_979,
        12_650,
    ]


def test_the_papers_numbers_cause_no_warning():
    numbers = {
        f"{part}_{superclass}": mock.Mock(num_examples=counts[index])
        for superclass, counts in table_1.IMAGES.items()
        for index, part in enumerate(("train", "validation"))
    }
    assert table_1.differences(numbers) == []
    numbers["validation_cat"].num_examples = 399
    (line,) = table_1.differences(numbers)
    assert "'cat' has 10,400 training and 399 validation" in line
