import dataclasses
import json

import hypothesis
import pytest
from hypothesis import strategies as st

from ss_tf.hierarchy.superclass_map import SuperclassMap

# Labels of two superclasses, interleaved.
MAP = SuperclassMap(
    superclass_names=("bird", "truck"),
    label_names=("cock", "moving van", "hen", "fire engine", "kite"),
    superclass_of_label=(0, 1, 0, 1, 0),
)


def test_subclass_indices_count_the_labels_of_a_superclass():
    assert MAP.labels_in(0) == (0, 2, 4)
    assert MAP.labels_in(1) == (1, 3)
    assert MAP.subclass_of_label() == (0, 0, 1, 1, 2)


@hypothesis.given(st.data())
def test_every_label_is_in_exactly_one_superclass(data):
    groups = data.draw(st.integers(1, 6))
    # Each superclass once, for none may be empty, and any others after.
    superclass_of_label = [*range(groups), *data.draw(st.lists(st.integers(0, groups - 1)))]
    drawn = SuperclassMap(
        superclass_names=tuple(f"s{index}" for index in range(groups)),
        label_names=tuple(f"l{index}" for index in range(len(superclass_of_label))),
        superclass_of_label=tuple(superclass_of_label),
    )
    members = [label for group in range(groups) for label in drawn.labels_in(group)]
    assert sorted(members) == list(range(drawn.num_labels))
    for label, subclass in enumerate(drawn.subclass_of_label()):
        assert drawn.labels_in(superclass_of_label[label])[subclass] == label


def test_json_keeps_names_of_any_script():
    names = SuperclassMap.from_groups({"ไทย": ["ไทย/ก"], "a b": ["a b/.x", "a b/ü"]})
    assert SuperclassMap.from_json(names.to_json()) == names
    assert "ไทย" in names.to_json()


def test_groups_become_consecutive_labels():
    grouped = SuperclassMap.from_groups({"x": ["x/1", "x/2"], "y": ["y/1"]})
    assert grouped.superclass_of_label == (0, 0, 1)
    assert grouped.label_names == ("x/1", "x/2", "y/1")


def test_unknown_superclass_gets_a_hint():
    with pytest.raises(
        ValueError, match=r"'brd', expected one of bird, truck\. Did you mean 'bird'"
    ):
        MAP.superclass_index("brd")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"superclass_names": ("bird", "bird")}, r"superclass name 'bird' occurs twice"),
        ({"label_names": ("a", "b", "a", "c", "d")}, r"label name 'a' occurs twice"),
        ({"superclass_of_label": (0, 1)}, r"has 2 entries, expected one per label: 5"),
        ({"superclass_of_label": (0, 1, 0, 1, 2)}, r"'kite' has superclass 2, expected 0\.\.1"),
        ({"superclass_of_label": (0, 0, 0, 0, 0)}, r"'truck' has no label"),
    ],
)
def test_what_is_no_partition_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(MAP, **change)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", r"A superclass map is \[\], expected an object"),
        ('{"label_names": []}', r"A superclass map lacks the fields \['superclass_names', 'superc"),
        ("{", "A superclass map is no JSON"),
    ],
)
def test_json_of_something_else_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        SuperclassMap.from_json(text)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"superclass_names": "ab"}, "superclass_names is 'ab', expected a list of str"),
        ({"label_names": ["a", None]}, r"label_names is \['a', None\], expected a list of str"),
        ({"superclass_of_label": [True, 0]}, r"is \[True, 0\], expected a list of int"),
        ({"superclass_of_label": {"0": 1}}, "expected a list of int"),
        ({"superclass_of_label": [0, 1.0]}, "expected a list of int"),
    ],
    ids=range(5),
)
def test_fields_of_another_type_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        SuperclassMap.from_fields(json.loads(MAP.to_json()) | change)
