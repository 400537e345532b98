"""Files of tensors that other programs wrote: .safetensors and .npz, never unpickled."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import pathlib
import zipfile
import zlib
from collections.abc import Callable, Iterator

import numpy as np
import safetensors
import tensorflow as tf

# What torch.save writes is a pickle, whatever it is called.
_PICKLES = (".bin", ".ckpt", ".pickle", ".pkl", ".pt", ".pth", ".tar")
# As safetensors spells them.
_FLOATS = ("BF16", "F16", "F32", "F64")
_NPY_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
# What the readers raise for a damaged archive, an encrypted one or a damaged array in it.
_DAMAGE = (
    ValueError,
    EOFError,
    OSError,
    NotImplementedError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclasses.dataclass(frozen=True)
class TensorFile:
    """An open file of named tensors.

    Shapes are known before any tensor is read, so that whoever reads only the shapes he expects
    needs no more memory than he expects, whatever the file claims.

    Attributes:
      shapes: tensor name -> shape, as the file has it.
      read: tensor name -> float32 values of that shape, cast from any floating-point type.
        ValueError, naming the tensor, if it has another type, is damaged, or holds a value that
        is no finite float32.
    """

    shapes: dict[str, tuple[int, ...]]
    read: Callable[[str], np.ndarray]


@contextlib.contextmanager
def open_tensors(path: str | os.PathLike) -> Iterator[TensorFile]:
    """Opens a .safetensors or .npz file for as long as the context lasts.

    Raises:
      ValueError: naming the file, if it is of another kind or not whole.
      OSError: if it cannot be opened.
    """
    path = pathlib.Path(path)
    suffix = path.suffix.lower()
    if suffix in _PICKLES:
        raise ValueError(
            f"{path} is a pickle, which may run any code when opened, expected .safetensors or "
            ".npz: convert it with torch.load(..., weights_only=True) and "
            "safetensors.torch.save_file, see docs/PRETRAINED.md."
        )
    if suffix not in (".safetensors", ".npz"):
        raise ValueError(f"{path} ends in {suffix!r}, expected .safetensors or .npz.")
    if path.is_dir():
        raise ValueError(f"{path} is a folder, expected a {suffix} file.")
    if not path.exists():
        raise FileNotFoundError(f"There is no file {path}.")
    with (_open_safetensors if suffix == ".safetensors" else _open_npz)(path) as file:
        yield file


@contextlib.contextmanager
def _open_safetensors(path: pathlib.Path) -> Iterator[TensorFile]:
    try:
        # As TensorFlow's tensors: numpy alone has no bfloat16.
        opened = safetensors.safe_open(path, framework="tf")
    except safetensors.SafetensorError as error:
        raise ValueError(f"{path} is not a whole .safetensors file: {error}.") from error
    with opened as file:
        names = file.keys()
        slices = {name: file.get_slice(name) for name in names}

        def read(name: str) -> np.ndarray:
            dtype = slices[name].get_dtype()
            if dtype not in _FLOATS:
                raise ValueError(f"{name} in {path} is {dtype}, expected {' or '.join(_FLOATS)}.")
            return _finite(tf.cast(file.get_tensor(name), tf.float32).numpy(), name, path)

        yield TensorFile({name: tuple(x.get_shape()) for name, x in slices.items()}, read)


@contextlib.contextmanager
def _open_npz(path: pathlib.Path) -> Iterator[TensorFile]:
    with open(path, "rb") as stream:
        with _damage_named(path):
            archive = zipfile.ZipFile(stream)
            members = _npz_members(archive)
            headers = {name: _npy_header(archive, member) for name, member in members.items()}

        def read(name: str) -> np.ndarray:
            dtype = headers[name][1]
            if dtype.kind != "f":
                raise ValueError(f"{name} in {path} is {dtype}, expected floating-point numbers.")
            with _damage_named(path), archive.open(members[name]) as member:
                tensor = np.lib.format.read_array(member, allow_pickle=False)
            with np.errstate(over="ignore"):
                return _finite(tensor.astype(np.float32), name, path)

        yield TensorFile({name: shape for name, (shape, _) in headers.items()}, read)


def _npz_members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Returns the archive's members by the names of their arrays."""
    members = {}
    for member in archive.infolist():
        name = member.filename.removesuffix(".npy")
        if name in members:
            raise ValueError(f"it has two arrays called {name}")
        members[name] = member
    return members


def _npy_header(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> tuple[tuple, np.dtype]:
    """Returns an array's shape and dtype, without reading its values.

    Raises:
      ValueError: if the archive holds more or fewer bytes than they take.
    """
    with archive.open(member) as stream:
        version = np.lib.format.read_magic(stream)
        if version not in _NPY_HEADERS:
            raise ValueError(f"{member.filename} has version {version}, expected (1, 0) or (2, 0)")
        shape, _, dtype = _NPY_HEADERS[version](stream)
        expected = stream.tell() + math.prod(shape) * dtype.itemsize
    # The size of pickled objects is not known from their number.
    if member.file_size != expected and not dtype.hasobject:
        raise ValueError(
            f"{member.filename} has {member.file_size} bytes, expected {expected} for {dtype} of "
            f"shape {shape}"
        )
    return shape, dtype


@contextlib.contextmanager
def _damage_named(path: pathlib.Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise ValueError(f"{path} is not a whole .npz file: {error}.") from error


def _finite(tensor: np.ndarray, name: str, path: pathlib.Path) -> np.ndarray:
    """Returns a tensor whose values are all finite."""
    odd = int(np.count_nonzero(~np.isfinite(tensor)))
    if odd:
        raise ValueError(f"{name} in {path} has {odd} values that are not finite, expected none.")
    return tensor
