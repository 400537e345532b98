"""Splits that share their files: the parts of a split, each of some of its shards.

TFDS knows no split that contains others. But each split has its own list of shard lengths and its
own template of file names, both kept in dataset_info.json, and shards of length zero are never
opened. So every part names all the files of the whole, with length zero for those of other parts,
and anything that reads TFDS's data sets understands it without this code.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow_datasets as tfds

# As TFDS's writer names them.
_INDEX_SUFFIX = "_index.json"


def unite(name: str, parts: Sequence[tfds.core.SplitInfo]) -> list[tfds.core.SplitInfo]:
    """Makes one split of written ones, which remain as parts of it; renames all their files.

    Args:
      name: of the whole, new split.
      parts: the splits in the order they get in the whole, each with files of its own.

    Returns:
      The whole, which counts the bytes, and the parts, whose bytes are 0 (TFDS's "unknown") so that
      none count twice.
    """
    lengths = [length for part in parts for length in part.shard_lengths]
    whole = tfds.core.SplitInfo(
        name=name,
        shard_lengths=lengths,
        num_bytes=sum(part.num_bytes for part in parts),
        filename_template=parts[0].filename_template.replace(split=name),
    )
    template = whole.filename_template.template.replace("{SPLIT}", name)
    result, start = [whole], 0
    for part in parts:
        stop = start + part.num_shards
        for old, new in zip(part.filepaths, whole.filepaths[start:stop], strict=True):
            _rename(old, new)
        shared = whole.filename_template.replace(split=part.name, template=template)
        result.append(
            tfds.core.SplitInfo(
                name=part.name,
                shard_lengths=[0] * start + part.shard_lengths + [0] * (len(lengths) - stop),
                num_bytes=0,
                filename_template=shared,
            )
        )
        start = stop
    return result


def _rename(old: tfds.core.Path, new: tfds.core.Path) -> None:
    """Renames a shard, and the index that some file formats have beside it."""
    index = old.with_name(f"{old.name}{_INDEX_SUFFIX}")
    if index.exists():
        index.rename(new.with_name(f"{new.name}{_INDEX_SUFFIX}"))
    old.rename(new)
