import collections

import pytest

from ss_tf.hierarchy import imagenet_classes

BIRD, GALLINACEOUS_BIRD = "n01503061", "n01789386"


def _all_below(top, *, last_parent_only):
    """Walks down from a synset; the package walks up from the classes."""
    edges = imagenet_classes.edges()
    if last_parent_only:
        # Written in the order of the file, the last parent of a child stays.
        edges = [(parent, child) for child, parent in {c: p for p, c in edges}.items()]
    children = collections.defaultdict(set)
    for parent, child in edges:
        children[parent].add(child)
    found, front = {top}, {top}
    while front:
        front = set().union(*(children[synset] for synset in front)) - found
        found |= front
    return found


def test_there_are_the_1000_classes_in_their_order():
    classes = imagenet_classes.classes()
    assert len(classes) == len({wnid for wnid, _ in classes}) == 1000
    # Indices that every user of ImageNet knows.
    assert classes[0] == ("n01440764", "tench")
    assert classes[207].name == "golden retriever"
    assert classes[999] == ("n15075141", "toilet tissue")


def test_names_are_unique_and_the_parent_tells_namesakes_apart():
    names = dict(imagenet_classes.classes())
    assert len(set(names.values())) == 1000
    assert names["n02012849"] == "crane (wading bird)"
    assert names["n03126707"] == "crane (lifting device)"
    assert names["n03710637"] == "maillot (tights)"
    assert names["n03710721"] == "maillot (swimsuit)"
    assert sum("(" in name for name in names.values()) == 4


def test_edges_lead_from_every_class_to_one_top_and_have_their_order():
    edges = imagenet_classes.edges()
    assert len(set(edges)) == len(edges) == 1937
    assert edges[0] == ("n02118333", "n02119789")
    children = {child for _, child in edges}
    assert {parent for parent, _ in edges} - children == {"n00001740"}
    assert {wnid for wnid, _ in imagenet_classes.classes()} <= children
    count = collections.Counter(child for _, child in edges)
    assert sum(number > 1 for number in count.values()) == 75


def test_every_synset_has_a_name():
    synsets = {wnid for edge in imagenet_classes.edges() for wnid in edge}
    assert set(imagenet_classes.synset_names()) == synsets
    assert imagenet_classes.synset_names()[BIRD] == "bird"


@pytest.mark.parametrize("last_parent_only", [False, True])
def test_classes_below_and_ancestors_agree_with_a_walk_down(last_parent_only):
    below = imagenet_classes.classes_below(last_parent_only=last_parent_only)
    wnids = [wnid for wnid, _ in imagenet_classes.classes()]
    # Every twentieth synset, among them the top.
    for synset in sorted(imagenet_classes.synset_names())[::20]:
        found = _all_below(synset, last_parent_only=last_parent_only)
        assert list(below.get(synset, ())) == [wnid for wnid in wnids if wnid in found]
        for other in wnids[::50]:
            above = imagenet_classes.ancestors(other, last_parent_only=last_parent_only)
            assert (synset in above) == (other in found - {synset})


def test_a_synset_without_classes_by_the_last_parent_is_missing():
    assert len(imagenet_classes.classes_below(last_parent_only=False)[GALLINACEOUS_BIRD]) == 7
    assert GALLINACEOUS_BIRD not in imagenet_classes.classes_below(last_parent_only=True)
