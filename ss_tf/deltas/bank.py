"""The bank: a folder with one file per superclass, which holds its sub network as a delta."""

from __future__ import annotations

import hashlib
import json
import pathlib
from collections.abc import Mapping

import numpy as np

from ss_tf import files
from ss_tf.deltas import entry as entries
from ss_tf.models.integer_network import IntegerNetwork

FORMAT_VERSION = "1"
_SUFFIX = ".safetensors"
_PAYLOADS = ("residuals", "whole")
_JSON_FIELDS = ("num_classes", "own_scales", "network_metadata")


def names(bank_dir: pathlib.Path) -> tuple[str, ...]:
    """Returns the superclasses that have an entry, sorted; none if there is no such folder."""
    found = [path.name.removesuffix(_SUFFIX) for path in pathlib.Path(bank_dir).glob(f"*{_SUFFIX}")]
    return tuple(sorted(name for name in found if not name.startswith(".")))


def entry_path(bank_dir: pathlib.Path, superclass_name: str) -> pathlib.Path:
    """Returns the file of a superclass, whether or not it exists.

    Raises:
      ValueError: if the name cannot be that of a file inside `bank_dir`.
    """
    files.check_name(superclass_name, subject="Superclass")
    return pathlib.Path(bank_dir) / f"{superclass_name}{_SUFFIX}"


def write_entry(
    bank_dir: pathlib.Path,
    superclass_name: str,
    *,
    base: IntegerNetwork,
    sub: IntegerNetwork,
    codec: str = "zlib-huffman",
) -> pathlib.Path:
    """Stores a sub network; an older entry of the superclass is replaced whole or not at all.

    Args:
      bank_dir: folder of the bank; made if it does not exist.
      superclass_name: names the file; see `entry_path`.
      base: the network that will be resident when the entry is read.
      sub: the same tensors as `base`, of the same shapes but for the head's width.
      codec: a name in `codecs.CODECS`.

    Returns:
      The file written.

    Raises:
      ValueError: if the name is refused, the codec unknown, or the networks do not match; the
        message names the tensor.
    """
    path = entry_path(bank_dir, superclass_name)
    entry = entries.pack(superclass_name, base=base, sub=sub, codec=codec)
    header = _header(entry)
    payloads = {name: getattr(entry, name) for name in _PAYLOADS}
    files.write_tensors(
        path,
        {name: np.frombuffer(payload, np.uint8) for name, payload in payloads.items()},
        metadata=header | {"entry_digest": _digest(header, payloads)},
    )
    return path


def read_entry(
    bank_dir: pathlib.Path, superclass_name: str, *, base: IntegerNetwork
) -> IntegerNetwork:
    """Restores a sub network, bit for bit.

    Args:
      bank_dir: folder of the bank.
      superclass_name: as given to `write_entry`.
      base: the network given to `write_entry`. Not modified; the result may share its scales.

    Raises:
      ValueError: as `load_entry`; also if the entry was made for another base, or does not restore
        the network that was stored. The message names the file.
    """
    entry = load_entry(bank_dir, superclass_name)
    try:
        return entries.unpack(entry, base=base)
    except ValueError as error:
        path = entry_path(bank_dir, superclass_name)
        raise ValueError(f"{path} cannot be used: {error}") from error


def load_entry(bank_dir: pathlib.Path, superclass_name: str) -> entries.Entry:
    """Reads an entry, without decompressing it.

    Raises:
      ValueError: if there is no such entry (the message lists those there are), the file is
        damaged, of another version, or the entry of another superclass. The message names it.
    """
    path = entry_path(bank_dir, superclass_name)
    if not path.is_file():
        raise ValueError(
            f"{path} does not exist; the bank has entries for "
            f"{', '.join(names(bank_dir)) or 'no superclass'}."
        )
    tensors, header = files.read_tensors(path)
    if header.get("format_version") != FORMAT_VERSION:
        raise ValueError(
            f"{path} has format version {header.get('format_version')}, expected {FORMAT_VERSION}."
        )
    payloads = {name: tensor.tobytes() for name, tensor in tensors.items()}
    if header.pop("entry_digest", None) != _digest(header, payloads):
        raise ValueError(f"{path} is damaged: its content does not have the digest it should.")
    entry = _entry(header, payloads)
    if entry.superclass_name != superclass_name:
        raise ValueError(
            f"{path} is the entry of {entry.superclass_name!r}, expected {superclass_name!r}."
        )
    return entry


def _header(entry: entries.Entry) -> dict[str, str]:
    """Returns the format version and every field but the payloads, as text."""
    fields = {name: value for name, value in vars(entry).items() if name not in _PAYLOADS}
    for name in _JSON_FIELDS:
        fields[name] = json.dumps(fields[name], sort_keys=True)
    return fields | {"format_version": FORMAT_VERSION}


def _entry(header: Mapping[str, str], payloads: Mapping[str, bytes]) -> entries.Entry:
    """Undoes `_header`."""
    fields = {name: text for name, text in header.items() if name != "format_version"}
    for name in _JSON_FIELDS:
        fields[name] = json.loads(fields[name])
    return entries.Entry(**fields, **payloads)


def _digest(header: Mapping[str, str], payloads: Mapping[str, bytes]) -> str:
    """Returns the SHA-256, in hex, of all that a file says: no damage goes unseen."""
    sha256 = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name in sorted(payloads):
        sha256.update(f"\n{name} {len(payloads[name])}\n".encode() + payloads[name])
    return sha256.hexdigest()
