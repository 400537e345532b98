"""The 1000 classes of ILSVRC2012 and ImageNet's is-a edges above them, as shipped in imagenet/."""

from __future__ import annotations

import collections
import csv
import functools
import importlib.resources
from collections.abc import Iterator, Mapping
from typing import NamedTuple


class ImageNetClass(NamedTuple):
    """A class of ILSVRC2012.

    Attributes:
      wnid: WordNet ID, such as `n01440764`.
      name: the first lemma. Two names would be those of two classes each, and have the name of the
        class's parent behind them: `crane (wading bird)`, `crane (lifting device)`. So all differ.
    """

    wnid: str
    name: str


@functools.cache
def classes() -> tuple[ImageNetClass, ...]:
    """Returns the 1000 classes; the position of a class is its ILSVRC2012 index."""
    first_lemmas = {row["wnid"]: _first_lemma(row) for row in _rows("classes.tsv")}
    count = collections.Counter(first_lemmas.values())
    return tuple(
        ImageNetClass(
            wnid,
            name if count[name] == 1 else f"{name} ({synset_names()[parents()[wnid][-1]]})",
        )
        for wnid, name in first_lemmas.items()
    )


@functools.cache
def edges() -> tuple[tuple[str, str], ...]:
    """Returns ImageNet's edges (parent, child) among the classes and their ancestors.

    Their order is that of ImageNet's `wordnet.is_a.txt`, on which the last parent depends.
    """
    return tuple((row["parent"], row["child"]) for row in _rows("is_a.tsv"))


@functools.cache
def parents() -> Mapping[str, tuple[str, ...]]:
    """Returns, for each synset but the topmost, its parents in the order of `edges`."""
    found = collections.defaultdict(list)
    for parent, child in edges():
        found[child].append(parent)
    return {child: tuple(above) for child, above in found.items()}


@functools.cache
def synset_names() -> Mapping[str, str]:
    """Returns the first lemma of each class and of each ancestor; some names occur twice."""
    below = {row["wnid"]: _first_lemma(row) for row in _rows("classes.tsv")}
    return below | {row["wnid"]: row["name"] for row in _rows("ancestors.tsv")}


@functools.cache
def ancestors(wnid: str, *, last_parent_only: bool) -> frozenset[str]:
    """Returns all synsets above one.

    Args:
      wnid: a class or an ancestor of one.
      last_parent_only: let every synset keep only the last of its parents.
    """
    above = parents().get(wnid, ())
    kept = above[-1:] if last_parent_only else above
    further = (ancestors(parent, last_parent_only=last_parent_only) for parent in kept)
    return frozenset(kept).union(*further)


@functools.cache
def classes_below(*, last_parent_only: bool) -> Mapping[str, tuple[str, ...]]:
    """Returns, for each synset, the wnids of the classes that it is or that are below it.

    Args:
      last_parent_only: let every synset keep only the last of its parents.

    Returns:
      wnid -> wnids in the order of their index. A synset without classes is missing.
    """
    found = collections.defaultdict(list)
    for wnid, _ in classes():
        for synset in {wnid} | ancestors(wnid, last_parent_only=last_parent_only):
            found[synset].append(wnid)
    return {synset: tuple(wnids) for synset, wnids in found.items()}


def _rows(name: str) -> Iterator[dict[str, str]]:
    """Reads a shipped table, one dictionary per row."""
    folder = importlib.resources.files(__package__) / "imagenet"
    with (folder / name).open(encoding="utf-8") as file:
        yield from csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)


def _first_lemma(row: Mapping[str, str]) -> str:
    return row["lemmas"].split(", ")[0]
