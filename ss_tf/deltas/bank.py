"""The bank: a folder with one file per superclass, which holds its sub network as a delta."""

from __future__ import annotations

import hashlib
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from ss_tf import files
from ss_tf.deltas import entry as entries
from ss_tf.deltas import header
from ss_tf.models.integer_network import IntegerNetwork

FORMAT_VERSION = "1"
_SUFFIX = ".safetensors"
_HEADER = "header"
# Of the metadata. "format_version" is that of banks from before the format was documented.
_VERSION_KEY, _DIGEST_KEY, _UNDOCUMENTED_KEY = "bank_format", "digest", "format_version"


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
    codec_names: Sequence[str] = entries.DEFAULT_CODECS,
) -> pathlib.Path:
    """Stores a sub network; an older entry of the superclass is replaced whole or not at all.

    Args:
      bank_dir: folder of the bank; made if it does not exist.
      superclass_name: names the file; see `entry_path`.
      base: the network that will be resident when the entry is read.
      sub: the same tensors as `base`, of the same shapes but for the head's width.
      codec_names: as for `entry.pack`.

    Returns:
      The file written.

    Raises:
      ValueError: if the name is refused, a codec is unknown or not installed, or the networks do
        not match; the message names the tensor.
    """
    path = entry_path(bank_dir, superclass_name)
    entry = entries.pack(superclass_name, base=base, sub=sub, codec_names=codec_names)
    streams = {_HEADER: header.write(entry), **entry.pools}
    files.write_tensors(
        path,
        {name: np.frombuffer(stream, np.uint8) for name, stream in streams.items()},
        metadata={_VERSION_KEY: FORMAT_VERSION, _DIGEST_KEY: _digest(streams)},
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
    streams = _read_streams(path)
    try:
        entry = header.read(streams.pop(_HEADER), pools=streams)
    except ValueError as error:
        raise ValueError(f"{path} cannot be used: {error}") from error
    if entry.superclass != superclass_name:
        raise ValueError(f"{path} is the entry of {entry.superclass!r}, not {superclass_name!r}.")
    return entry


def _read_streams(path: pathlib.Path) -> dict[str, bytes]:
    """Returns what a file holds, by name; all of it has the digest it should."""
    tensors, metadata = files.read_tensors(path)
    if not isinstance(metadata, dict) or metadata.get(_VERSION_KEY) != FORMAT_VERSION:
        raise ValueError(_other_version(path, metadata))
    streams = {name: tensor.tobytes() for name, tensor in tensors.items()}
    is_bytes = all(tensor.dtype == np.uint8 for tensor in tensors.values())
    if not is_bytes or _HEADER not in streams or metadata.get(_DIGEST_KEY) != _digest(streams):
        raise ValueError(f"{path} is damaged: its content does not have the digest it should.")
    return streams


def _other_version(path: pathlib.Path, metadata: object) -> str:
    """Returns what to say about a file of another version, or of something else."""
    if isinstance(metadata, dict) and _UNDOCUMENTED_KEY in metadata:
        return (
            f"{path} is of an early form of the bank, expected version {FORMAT_VERSION}: delete "
            f"{path.parent}, and run train.py --stage=sub again, which only writes it anew."
        )
    version = metadata.get(_VERSION_KEY) if isinstance(metadata, dict) else None
    return f"{path} has bank format {version!r}, expected {FORMAT_VERSION!r}."


def _digest(streams: Mapping[str, bytes]) -> str:
    """Returns the SHA-256, in hex, of all that a file holds: no damage goes unseen."""
    sha256 = hashlib.sha256()
    for name in sorted(streams):
        sha256.update(f"{name} {len(streams[name])}\n".encode() + streams[name])
    return sha256.hexdigest()
