"""Files that are whole or absent, and safetensors files with the same bytes every time."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
import unicodedata
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import safetensors

_METADATA_KEY = "ss_tf"
# A file name has at most 255 bytes, and some go to the suffix and to a temporary name.
_LONGEST_NAME_BYTES = 200


def check_name(name: str, *, subject: str) -> None:
    """Checks that a name from outside can name a file, inside the folder meant for it.

    Raises:
      ValueError: if it cannot; it names `subject` and the name.
    """
    odd = [c for c in name if c in "/\\" or unicodedata.category(c) in ("Cc", "Cs")]
    if odd or not name or name.startswith("."):
        raise ValueError(
            f"{subject} {name!r} cannot name a file, expected no dot in front and no slash, "
            "backslash or control character."
        )
    name_bytes = len(name.encode())
    if name_bytes > _LONGEST_NAME_BYTES:
        raise ValueError(
            f"{subject} {name!r} takes {name_bytes} bytes in UTF-8, "
            f"expected at most {_LONGEST_NAME_BYTES}."
        )


@contextlib.contextmanager
def locked(folder: pathlib.Path, *, subject: str) -> Iterator[None]:
    """Keeps other processes out of a folder as long as the context lasts; the kernel frees it.

    Raises:
      ValueError: if another process is in it; the message names `subject` and the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ValueError(
                f"{subject} is in the hands of another process ({folder}), expected one at a time."
            ) from error
        yield


def write_atomically(path: pathlib.Path, data: bytes) -> None:
    """Writes a file so that a reader, at any moment, sees the old content or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Always the same name, so that what a killed process leaves behind is written over.
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_tensors(
    path: pathlib.Path, tensors: Mapping[str, np.ndarray], *, metadata: Mapping[str, str]
) -> None:
    """Writes a .safetensors file, atomically; equal content gives equal bytes."""
    import safetensors.numpy  # Here: the edge runtime uses other parts of this module without it.

    # Safetensors copies memory as it lies, so a transposed or sliced array would be scrambled.
    # (Not np.ascontiguousarray, which makes a scalar an array of one.)
    dense = {name: np.array(tensors[name], order="C") for name in sorted(tensors)}
    # It also writes metadata in random order, hence a single entry.
    entry = {_METADATA_KEY: json.dumps(dict(metadata), sort_keys=True)}
    write_atomically(pathlib.Path(path), safetensors.numpy.save(dense, entry))


def digest(tensors: Mapping[str, np.ndarray]) -> str:
    """Returns the SHA-256, in hex, of all names, dtypes, shapes and values, in any order."""
    sha256 = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        little_endian = tensor.astype(tensor.dtype.newbyteorder("<"), order="C")
        sha256.update(f"{name} {tensor.dtype} {tensor.shape}\n".encode())
        sha256.update(little_endian.tobytes())
    return sha256.hexdigest()


def read_tensors(path: pathlib.Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Reads what `write_tensors` wrote.

    Returns:
      The tensors by name, and the metadata.

    Raises:
      ValueError: if the file is damaged, or was written by something else.
      OSError: if it cannot be opened.
    """
    with _opened(path) as file:
        names = file.keys()
        try:
            tensors = {name: file.get_tensor(name) for name in names}
        except (AttributeError, TypeError, ValueError) as error:
            raise ValueError(f"{path} is damaged: numpy has no such tensor ({error}).") from error
        return tensors, _metadata_of(file, path)


def read_metadata(path: pathlib.Path) -> dict[str, str]:
    """Reads the metadata that `write_tensors` wrote, without the tensors.

    Raises:
      ValueError: if the file is damaged, or was written by something else.
      OSError: if it cannot be opened.
    """
    with _opened(path) as file:
        return _metadata_of(file, path)


@contextlib.contextmanager
def _opened(path: pathlib.Path) -> Iterator[safetensors.safe_open]:
    import safetensors

    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            yield file
    except safetensors.SafetensorError as error:
        raise ValueError(f"{path} is not a whole .safetensors file: {error}.") from error


def _metadata_of(file: safetensors.safe_open, path: pathlib.Path) -> dict[str, str]:
    entry = file.metadata() or {}
    if set(entry) != {_METADATA_KEY}:
        raise ValueError(
            f"{path} has the metadata {sorted(entry)}, expected [{_METADATA_KEY!r}]: "
            "another program wrote it."
        )
    try:
        return json.loads(entry[_METADATA_KEY])
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged: its metadata is not JSON ({error}).") from error
