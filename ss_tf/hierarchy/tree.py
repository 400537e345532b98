"""Prints a grouping: the command line of `python -m ss_tf.hierarchy.wordnet`."""

from __future__ import annotations

import argparse
import collections
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import NoReturn

from ss_tf.hierarchy import groupings, imagenet_classes, wordnet
from ss_tf.hierarchy.groupings import Grouping

_EXAMPLES = """\
examples:
  python -m ss_tf.hierarchy.wordnet --grouping=living_9
  python -m ss_tf.hierarchy.wordnet --roots=bird.n.01,n02084071 --show=tree
  python -m ss_tf.hierarchy.wordnet --roots='car.n.01,fire engine' --definitions
"""
_INDENT = "    "
_WIDTH = 100


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message}\n")


def main(arguments: Sequence[str]) -> int:
    """Prints the grouping that the command line asks for, and returns the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.grouping and options.rule:
        parser.error("--rule goes with --roots; a grouping with a name has its own.")
    try:
        if options.grouping:
            grouping = groupings.by_name(options.grouping)
        else:
            roots = [root.strip() for root in options.roots.split(",")]
            if not all(roots):
                parser.error(f"--roots is {options.roots!r}, expected a name at each comma's side.")
            grouping = groupings.from_roots(
                roots, **({"rule": options.rule} if options.rule else {})
            )
        lines = render(grouping, show=options.show, with_definitions=options.definitions)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    print("\n".join(lines))
    return 0


def render(
    grouping: Grouping, *, show: str = "classes", with_definitions: bool = False
) -> list[str]:
    """Returns the lines of a grouping: its superclasses with root and count, then the total.

    Args:
      grouping: what to show.
      show: what stands below a superclass: nothing ("counts"), the names of its classes
        ("classes"), or the synsets between them and the root ("tree").
      with_definitions: add the definition of each root, which needs WordNet.

    Raises:
      ValueError: if definitions are asked for and WordNet is not installed.
    """
    longest_name = max(len(name) for name in grouping.groups)
    lines = [grouping.description, ""]
    for name, wnids in grouping.groups.items():
        root = grouping.roots[name]
        definition = f"  {wordnet.synset(root).definition}" if with_definitions else ""
        lines.append(f"{name:<{longest_name}}  {root}  {len(wnids):>4}{definition}")
        if show == "classes":
            names = ", ".join(grouping.names[wnid] for wnid in wnids)
            lines += textwrap.wrap(names, _WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT)
        elif show == "tree":
            lines += _subtree(root, children=_children(root, wnids), names=grouping.names)
    total = sum(len(wnids) for wnids in grouping.groups.values())
    outside = len(imagenet_classes.classes()) - total
    return [
        *lines,
        "",
        f"{total} classes in {len(grouping.groups)} superclasses, {outside} outside",
    ]


def _parser() -> _Parser:
    parser = _Parser(
        prog="python -m ss_tf.hierarchy.wordnet",
        description="Prints superclasses of ImageNet with their classes and counts.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--grouping", choices=groupings.NAMES, help="a grouping with a name")
    which.add_argument(
        "--roots",
        help="the root of each superclass, separated by commas: wnids, names of synsets "
        "(bird.n.01) or words; only wnids, such as --show=tree prints, do without WordNet",
    )
    rules = "; ".join(f"{rule}: {meaning}" for rule, meaning in groupings.RULES.items())
    parser.add_argument(
        "--rule",
        choices=groupings.RULES,
        help=f"which classes a root gets, for --roots. {rules}. Default: {groupings.DEFAULT_RULE}",
    )
    parser.add_argument(
        "--show",
        choices=("counts", "classes", "tree"),
        default="classes",
        help="what to print below each superclass: nothing, its classes, or the synsets between "
        "(those with a single child left out). Default: classes",
    )
    parser.add_argument(
        "--definitions", action="store_true", help="print the definition of each root (WordNet)"
    )
    return parser


def _children(root: str, wnids: Sequence[str]) -> Mapping[str, list[str]]:
    """Returns synset -> synsets right below it, on one path from each class up to the root.

    Where several parents are below the root, the path takes the last of them.
    """
    children = collections.defaultdict(list)
    for wnid in wnids:
        synset = wnid
        while synset != root:
            parent = [
                above
                for above in imagenet_classes.parents()[synset]
                if root in {above} | imagenet_classes.ancestors(above, last_parent_only=False)
            ][-1]
            if synset in children[parent]:
                break
            children[parent].append(synset)
            synset = parent
    return dict(children)


def _subtree(
    root: str, *, children: Mapping[str, Sequence[str]], names: Mapping[str, str]
) -> Iterator[str]:
    """Yields the lines below a root: classes by name, synsets between with wnid and count."""
    # A root that is itself a class stands below itself.
    to_do = [(synset, 1) for synset in reversed(children.get(root, (root,)))]
    while to_do:
        synset, depth = to_do.pop()
        below = children.get(synset, ())
        if not below:
            yield f"{_INDENT * depth}{names[synset]}"
        elif len(below) > 1:
            name = imagenet_classes.synset_names()[synset]
            yield f"{_INDENT * depth}{name}  {synset}  {_count(synset, children=children)}"
        inner_depth = depth + (len(below) > 1)
        to_do += [(child, inner_depth) for child in reversed(below)]


def _count(synset: str, *, children: Mapping[str, Sequence[str]]) -> int:
    """Returns the number of classes at or below a synset."""
    below = children.get(synset)
    return sum(_count(child, children=children) for child in below) if below else 1
