"""Groupings of ImageNet's classes into superclasses, by WordNet synsets that they are below."""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import itertools
import json
import re
from collections.abc import Mapping, Sequence

from ss_tf.hierarchy import imagenet_classes, named_roots, wordnet
from ss_tf.hierarchy.superclass_map import SuperclassMap

NAMES = tuple(named_roots.GROUPINGS)

# Which classes a root gets.
RULES = {
    "all_parents": "all classes below it; roots that share a class are refused",
    "first_root": "all classes below it, but for those that a root before it has",
    "last_parent": "the classes below it when every synset keeps only its last parent",
}
DEFAULT_RULE = "all_parents"


@dataclasses.dataclass(frozen=True)
class Grouping:
    """Superclasses, and the ImageNet classes in each; no class is in two.

    Attributes:
      name: letters, digits and underscores. One that `from_roots` made ends in a digest of the
        groups, so that two groupings of one name are the same.
      description: one line for people.
      groups: superclass name -> wnids of its classes in the order of their ILSVRC2012 index. The
        names are lower-case letters, digits and underscores.
      names: wnid of each class -> its human-readable name, which no other class has.
      roots: superclass name -> wnid of its root.
    """

    name: str
    description: str
    groups: Mapping[str, tuple[str, ...]]
    names: Mapping[str, str]
    roots: Mapping[str, str]

    def superclass_map(self) -> SuperclassMap:
        """Returns the map whose labels are the wnids, superclass after superclass."""
        return SuperclassMap.from_groups(self.groups)


def by_name(name: str) -> Grouping:
    """Returns one of the groupings `NAMES`, which `named_roots` describes.

    Raises:
      ValueError: if there is none of that name.
    """
    if name not in NAMES:
        raise ValueError(f"Unknown grouping {name!r}, expected one of {', '.join(NAMES)}.")
    named = named_roots.GROUPINGS[name]
    groups = _groups(named.roots, rule=named.rule)
    return _grouping(groups, name=name, description=named.description, roots=named.roots)


def from_roots(roots: Sequence[str], *, rule: str = DEFAULT_RULE) -> Grouping:
    """Returns a grouping with one superclass per root, in the order of the roots.

    A superclass is named after the first lemma of its root. The `roots` of the result, given again
    with the same rule, make the same grouping, also where WordNet is not installed.

    Args:
      roots: a wnid, the name of a synset (`bird.n.01`) or a word each. All but the wnids of the
        classes and their ancestors need WordNet (`wordnet.resolve`).
      rule: one of RULES.

    Raises:
      ValueError: if a root is unknown or has no class, if one root is below another, or if two
        share a class and the rule does not say whose it is. The message names the roots.
    """
    if rule not in RULES:
        raise ValueError(f"Unknown rule {rule!r}, expected one of {', '.join(RULES)}.")
    if isinstance(roots, str) or not roots:
        raise ValueError(f"Got {roots!r} for roots, expected a list of at least one.")
    wnids = [wordnet.resolve(root) for root in roots]
    for (root, wnid), (other, other_wnid) in itertools.combinations(
        zip(roots, wnids, strict=True), 2
    ):
        if wnid == other_wnid:
            raise ValueError(f"Roots {root!r} and {other!r} are both {wnid}, expected it once.")
    named = dict(zip(_superclass_names(wnids), wnids, strict=True))
    groups = _groups(named, rule=rule)
    description = f"Classes of ILSVRC2012 below {', '.join(named)}, by the rule {rule}."
    return _grouping(groups, name=_digest_name(groups), description=description, roots=named)


def _groups(roots: Mapping[str, str], *, rule: str) -> dict[str, tuple[str, ...]]:
    """Returns superclass name -> wnids of the classes that it gets by the rule."""
    below = imagenet_classes.classes_below(last_parent_only=rule == "last_parent")
    groups: dict[str, tuple[str, ...]] = {}
    for name, root in roots.items():
        if root not in below:
            raise ValueError(f"Root {name!r} ({root}) has no class of ILSVRC2012 by rule {rule!r}.")
        for other in groups:
            _check_disjoint({other: roots[other], name: root}, rule=rule)
        taken = set(itertools.chain.from_iterable(groups.values()))
        groups[name] = tuple(wnid for wnid in below[root] if wnid not in taken)
        if not groups[name]:
            raise ValueError(f"Root {name!r} ({root}) has no class left: those before took all.")
    return groups


def _check_disjoint(pair: Mapping[str, str], *, rule: str) -> None:
    """Raises ValueError, naming both roots, if one is below the other or they share a class."""
    last_parent_only = rule == "last_parent"
    for (name, root), (upper_name, upper) in itertools.permutations(pair.items()):
        if upper in imagenet_classes.ancestors(root, last_parent_only=last_parent_only):
            raise ValueError(
                f"Root {name!r} ({root}) is below root {upper_name!r} ({upper}), "
                "expected roots of which none is below another."
            )
    below = imagenet_classes.classes_below(last_parent_only=last_parent_only)
    (name, root), (other, other_root) = pair.items()
    shared = [wnid for wnid in below[root] if wnid in below[other_root]]
    if shared and rule == "all_parents":
        class_name = imagenet_classes.synset_names()[shared[0]]
        more = f" and {len(shared) - 1} more" if len(shared) > 1 else ""
        raise ValueError(
            f"Roots {name!r} ({root}) and {other!r} ({other_root}) share {class_name!r} "
            f"({shared[0]}){more}, expected no class in common; the rules 'first_root' and "
            "'last_parent' decide whose it is."
        )


def _superclass_names(wnids: Sequence[str]) -> list[str]:
    """Returns a name per root; where two are alike, the wnid behind it keeps them apart."""
    names = [
        re.sub("[^a-z0-9]+", "_", imagenet_classes.synset_names()[wnid].lower()).strip("_")
        for wnid in wnids
    ]
    count = collections.Counter(names)
    return [
        name if count[name] == 1 else f"{name}_{wnid}"
        for name, wnid in zip(names, wnids, strict=True)
    ]


def _digest_name(groups: Mapping[str, Sequence[str]]) -> str:
    """Returns a name that begins readably and differs for different groups."""
    digest = hashlib.sha256(json.dumps(list(groups.items())).encode()).hexdigest()[:8]
    first, rest = list(groups)[:3], len(groups) - 3
    return "_".join([*first, *([f"and_{rest}_more"] if rest > 0 else []), digest])


def _grouping(
    groups: Mapping[str, tuple[str, ...]],
    *,
    name: str,
    description: str,
    roots: Mapping[str, str],
) -> Grouping:
    """Adds the names of the classes."""
    grouped = set(itertools.chain.from_iterable(groups.values()))
    names = {wnid: name for wnid, name in imagenet_classes.classes() if wnid in grouped}
    return Grouping(name, description, groups, names, dict(roots))
