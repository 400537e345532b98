import csv
import dataclasses
import importlib.resources
import itertools
import re

import hypothesis
import pytest
from hypothesis import strategies as st

from ss_tf.hierarchy import groupings, imagenet_classes

CAR, TRUCK, MINIVAN, BIRD, FINCH = (
    "n02958343",
    "n04490091",
    "n03770679",
    "n01503061",
    "n01529672",
)
# arXiv 2201.08098, Table 1.
PAPER_COUNTS = [52, 6, 10, 8, 116, 7, 7, 27, 13, 7]


def _counts(grouping):
    return [len(wnids) for wnids in grouping.groups.values()]


def _table():
    file = importlib.resources.files("ss_tf.hierarchy") / "imagenet" / "superclassing.tsv"
    return list(csv.DictReader(file.read_text().splitlines(), delimiter="\t"))


def test_the_shipped_253_follow_from_the_edges():
    parent_of = {child: parent for parent, child in imagenet_classes.edges()}
    roots = {row["superclass_wnid"]: row["superclass"] for row in _table()}
    derived = []
    for index, (wnid, _) in enumerate(imagenet_classes.classes()):
        at = wnid
        while at in parent_of and at not in roots:
            at = parent_of[at]
        if at in roots:
            derived.append((roots[at], at, wnid, str(index)))
    shipped = [
        (row["superclass"], row["superclass_wnid"], row["wnid"], row["imagenet_index"])
        for row in _table()
    ]
    assert shipped == sorted(derived, key=lambda row: (list(roots).index(row[1]), int(row[3])))


def test_superclassing_is_the_shipped_table():
    grouping = groupings.by_name("superclassing")
    assert _counts(grouping) == PAPER_COUNTS
    assert sum(PAPER_COUNTS) == 253
    flat = [(name, wnid) for name, wnids in grouping.groups.items() for wnid in wnids]
    assert flat == [(row["superclass"], row["wnid"]) for row in _table()]
    for row in _table():
        assert grouping.roots[row["superclass"]] == row["superclass_wnid"]
        assert grouping.names[row["wnid"]].startswith(row["name"].split(", ")[0])


def test_all_parents_puts_the_minivan_among_the_cars():
    grouping = groupings.by_name("all_parents")
    below = imagenet_classes.classes_below(last_parent_only=False)
    before = [len(below[root]) for root in grouping.roots.values()]
    assert before == [59, 6, 10, 13, 118, 16, 7, 27, 13, 8]
    assert _counts(grouping) == [59, 6, 10, 13, 118, 16, 7, 27, 13, 7]
    assert MINIVAN in grouping.groups["car"]
    assert set(below[TRUCK]) - set(grouping.groups["truck"]) == {MINIVAN}


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("living_9", [116, 52, 47, 36, 20, 16, 8, 9, 8]),
        ("mixed_13", [116, 52, 27, 21, 16, 13, 10, 8, 7, 7, 7, 6, 6]),
        ("geirhos_16", [3, 4, 2, 52, 6, 7, 10, 5, 4, 3, 116, 2, 3, 2, 2, 7]),
        ("big_12", [116, 55, 52, 48, 42, 36, 35, 27, 26, 24, 21, 20]),
    ],
)
def test_groups_of_the_robustness_library_have_their_sizes(name, counts):
    assert _counts(groupings.by_name(name)) == counts


def _check_partition(grouping):
    members = list(itertools.chain.from_iterable(grouping.groups.values()))
    index = {wnid: index for index, (wnid, _) in enumerate(imagenet_classes.classes())}
    assert len(members) == len(set(members))
    assert set(members) == set(grouping.names) <= set(index)
    assert list(grouping.groups) == list(grouping.roots)
    for name, wnids in grouping.groups.items():
        # A name of a TFDS split begins `train_` and goes on so.
        assert re.fullmatch(r"[a-z0-9_]+", name)
        assert list(wnids) == sorted(wnids, key=index.get)
        assert len(wnids) > 0
    assert re.fullmatch(r"\w+", grouping.name)
    label_names = grouping.superclass_map().label_names
    assert label_names == tuple(members)


@pytest.mark.parametrize("name", groupings.NAMES)
def test_named_groupings_are_partitions(name):
    grouping = groupings.by_name(name)
    _check_partition(grouping)
    assert grouping.name == name


@hypothesis.settings(max_examples=50, deadline=None)
@hypothesis.given(
    st.lists(
        st.sampled_from(sorted(imagenet_classes.synset_names())),
        min_size=1,
        max_size=6,
        unique=True,
    ),
    st.sampled_from(sorted(groupings.RULES)),
)
def test_any_roots_make_a_partition_or_a_message(roots, rule):
    last_parent_only = rule == "last_parent"
    below = imagenet_classes.classes_below(last_parent_only=last_parent_only)
    try:
        grouping = groupings.from_roots(roots, rule=rule)
    except ValueError as error:
        message = str(error)
    else:
        message = ""
    if message:
        named = [root for root in roots if root in message]
        assert len(named) in (1, 2)
        assert "\n" not in message
        # Refused were too few classes, or some that two of the roots have.
        lists = [set(below.get(root, ())) for root in named]
        assert not all(lists) or len(named) == 1 or lists[0] & lists[1]
        return
    _check_partition(grouping)
    assert list(grouping.roots.values()) == roots
    assert set(grouping.names) == {wnid for root in roots for wnid in below[root]}
    assert groupings.from_roots(list(grouping.roots.values()), rule=rule) == grouping


def test_roots_of_the_paper_by_each_rule():
    named = groupings.by_name("superclassing")
    roots = list(named.roots.values())
    assert list(groupings.from_roots(roots, rule="last_parent").groups.values()) == list(
        named.groups.values()
    )
    first = groupings.from_roots(roots, rule="first_root")
    assert list(first.groups.values()) == list(groupings.by_name("all_parents").groups.values())
    with pytest.raises(ValueError, match=r"'car' \(n02958343\) and 'truck' \(n04490091\) share"):
        groupings.from_roots(roots)


def test_superclasses_are_named_after_their_roots_and_namesakes_get_the_wnid():
    grouping = groupings.from_roots(["n03345487", "n02012849", "n03126707"])
    assert list(grouping.groups) == ["fire_engine", "crane_n02012849", "crane_n03126707"]
    assert grouping.groups["fire_engine"] == ("n03345487",)


def test_the_name_of_a_grouping_tells_other_groups_apart():
    birds, cars = groupings.from_roots([BIRD]), groupings.from_roots([CAR])
    assert birds.name.startswith("bird_")
    # 52 and 59 birds, and another order of labels, are other data sets.
    others = [
        birds,
        cars,
        groupings.from_roots([BIRD], rule="last_parent"),
        groupings.from_roots([BIRD, CAR]),
        groupings.from_roots([CAR, BIRD]),
    ]
    assert len({grouping.name for grouping in others}) == 5
    many = groupings.from_roots(list(groupings.by_name("living_9").roots.values()))
    assert many.name.startswith("dog_bird_arthropod_and_6_more_")
    assert dataclasses.replace(birds) == groupings.from_roots([BIRD])


@pytest.mark.parametrize(
    ("roots", "rule", "message"),
    [
        ([BIRD, CAR, FINCH], "first_root", r"'finch' \(n01529672\) is below root 'bird' \(n0150"),
        ([FINCH, BIRD], "last_parent", r"'finch' \(n01529672\) is below root 'bird' \(n0150"),
        ([TRUCK, CAR], "all_parents", r"'truck' \(n.*\) and 'car' \(n.*\) share 'minivan' \(n037"),
        (["n02152991", "n01789386"], "all_parents", r"'black grouse' \(n01795545\) and 6 more"),
        (["n02152991", "n01789386"], "first_root", r"'gallinaceous_bird'.* has no class left"),
        (["n01789386"], "last_parent", r"'gallinaceous_bird' \(n01789386\) has no class .*'last_p"),
        ([BIRD, BIRD], "all_parents", r"'n01503061' and 'n01503061' are both n01503061"),
        ([], "all_parents", r"Got \[\] for roots, expected a list of at least one"),
        (BIRD, "all_parents", r"Got 'n01503061' for roots, expected a list"),
        ([BIRD], "nearest", r"Unknown rule 'nearest', expected one of all_parents, first_root"),
    ],
)
def test_roots_that_make_no_partition_are_refused_by_name(roots, rule, message):
    with pytest.raises(ValueError, match=message):
        groupings.from_roots(roots, rule=rule)


def test_unknown_grouping_lists_the_known():
    with pytest.raises(ValueError, match=r"'living_8', expected one of superclassing, all_par"):
        groupings.by_name("living_8")
