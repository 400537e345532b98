"""The header of an entry: all but its streams, as compressed JSON. Nothing in it is trusted."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable, Mapping

from ss_tf.deltas import float_planes
from ss_tf.deltas.entry import Entry

# JSON text; parsed, it takes some twenty times as much. A ResNet-152 has some 10 kB.
_LONGEST_BYTES = 1 << 21
_DIGEST = re.compile("[0-9a-f]{64}")


def write(entry: Entry) -> bytes:
    """Returns every field of an entry but the streams, which are named only; zlib of JSON.

    Raises:
      ValueError: if it is longer than `read` would accept, or a codec is none of a bank's.
    """
    _check_codecs(entry.pools)
    fields = vars(entry) | {"pools": list(entry.pools)}
    text = json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
    if len(text) > _LONGEST_BYTES:
        raise ValueError(f"The header has {len(text)} bytes, expected at most {_LONGEST_BYTES}.")
    return zlib.compress(text, 9)


def read(data: bytes, *, pools: Mapping[str, bytes]) -> Entry:
    """Undoes `write`.

    Args:
      data: what it returned.
      pools: codec -> stream, in any order.

    Returns:
      The entry. Its trees are not checked yet: that takes the base's shapes.

    Raises:
      ValueError: saying in one line what is wrong, whatever the data are.
    """
    decompressor = zlib.decompressobj()
    try:
        text = decompressor.decompress(data, _LONGEST_BYTES + 1)
    except zlib.error as error:
        raise ValueError(f"the header is damaged: {error}.") from error
    if len(text) > _LONGEST_BYTES or not decompressor.eof or decompressor.unused_data:
        raise ValueError(f"the header is cut, followed by bytes, or over {_LONGEST_BYTES} bytes.")
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the header is not JSON ({type(error).__name__}).") from error
    if not isinstance(fields, dict) or fields.keys() != _IS_VALID.keys():
        raise ValueError(f"the header has other fields than {sorted(_IS_VALID)}.")
    for name, is_valid in _IS_VALID.items():
        if not is_valid(fields[name]):
            raise ValueError(f"the header's {name!r} is not what it should be.")
    order = fields.pop("pools")
    _check_codecs(order)
    if sorted(order) != sorted(pools):
        raise ValueError(f"the file has the streams {sorted(pools)}, expected those of the header.")
    fields["kernels"] = [tuple(parts) for parts in fields["kernels"]]
    fields["forms"] = [float_planes.Form(*form) for form in fields["forms"]]
    return Entry(**fields, pools={name: pools[name] for name in order})


def _check_codecs(names: Iterable[str]) -> None:
    """Raises ValueError if there is one that is for comparison only."""
    if "7z" in names:
        # Its archives choose themselves how much memory they take.
        raise ValueError("the header names a stream of codec '7z', which no bank may have.")


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_digest(value: object) -> bool:
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


def _is_sorted_texts(value: object) -> bool:
    return _is_texts(value) and value == sorted(set(value))


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_text_by_text(value: object) -> bool:
    return isinstance(value, dict) and all(map(_is_text, value.values()))


def _is_tree(value: object) -> bool:
    # The rest is checked where the length is known: `symbols.leaf_sizes`.
    return type(value) in (int, list)


def _is_kernels(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(parts, list)
        and len(parts) == 2
        and (parts[0] is None or _is_tree(parts[0]))
        and _is_tree(parts[1])
        for parts in value
    )


def _is_forms(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(form, list)
        and len(form) == 2
        and type(form[0]) is int
        and 1 <= form[0] <= 4
        and type(form[1]) is bool
        for form in value
    )


def _is_planes(value: object) -> bool:
    return isinstance(value, list) and len(value) == 4 and all(map(_is_tree, value))


_IS_VALID = {
    "superclass": _is_text,
    "base": _is_digest,
    "network": _is_digest,
    "metadata": _is_text_by_text,
    "num_classes": lambda value: type(value) is int,
    "own_scales": _is_sorted_texts,
    "kernels": _is_kernels,
    "head": _is_tree,
    "forms": _is_forms,
    "planes": _is_planes,
    "pools": _is_texts,
}
