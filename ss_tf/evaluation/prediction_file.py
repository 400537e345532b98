"""predictions.npz: StoredPredictions on disk, as numpy's uncompressed archive without pickle.

`np.load` opens it. Arrays: `labels`, `logits.NETWORK.FORM`, `indices.FORM.SUPERCLASS` and
`logits.FORM.SUPERCLASS` (its index), and `about`: what is no array, as bytes of JSON.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import pathlib
import reprlib
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping

import numpy as np

from ss_tf import files, json_objects
from ss_tf.evaluation.stored_predictions import StoredPredictions
from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.routing.policy import RoutingPolicy
from ss_tf.routing.sub_logits import SubLogits

_VERSION = 1
_ABOUT = "about"
_ABOUT_FIELDS = {
    "version",
    "superclass_map",
    "base_kind",
    "keys",
    "policy",
    "facts",
    # Where every superclass has a single label, a form has no arrays.
    "sub_forms",
}
_DTYPES = (np.dtype("<f4"), np.dtype("<i8"), np.dtype("u1"))
_CHUNK_BYTES = 2**24
# What damaged bytes make of zipfile, of numpy's reader of headers, and of json.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    tokenize.TokenError,
    EOFError,
    KeyError,
    NotImplementedError,
    OverflowError,
    RecursionError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)


def write(predictions: StoredPredictions, path: pathlib.Path) -> None:
    """Writes the file, whole or not at all; equal predictions give equal bytes."""
    arrays = {_ABOUT: np.frombuffer(_about(predictions), np.uint8), "labels": predictions.labels}
    for (name, form), logits in predictions.logits.items():
        arrays[f"logits.{name}.{form}"] = logits
    for form, subs in predictions.subs.items():
        for superclass, sub in subs.items():
            arrays[f"indices.{form}.{superclass}"] = sub.indices
            arrays[f"logits.{form}.{superclass}"] = sub.logits
    with files.replacing(path) as file, zipfile.ZipFile(file, "w") as archive:
        for name in sorted(arrays):
            # numpy's own writer would put the time into it.
            entry = zipfile.ZipInfo(f"{name}.npy")
            with archive.open(entry, "w", force_zip64=True) as member:
                array = np.ascontiguousarray(arrays[name])
                array = array.astype(array.dtype.newbyteorder("<"), copy=False)
                np.lib.format.write_array(member, array, version=(1, 0), allow_pickle=False)


def read(path: pathlib.Path) -> StoredPredictions:
    """Reads what `write` wrote.

    Raises:
      ValueError: naming the file, if it is damaged, is something else, or does not fit together.
      OSError: if it cannot be opened.
    """
    try:
        arrays = _read_arrays(path)
        about = _read_about(arrays.pop(_ABOUT).tobytes())
        policy = about["policy"]
        return StoredPredictions(
            superclass_map=SuperclassMap.from_fields(about["superclass_map"]),
            base_kind=about["base_kind"],
            labels=arrays.pop("labels"),
            keys=_texts("keys", about["keys"]),
            policy=None if policy is None else RoutingPolicy.from_fields(policy),
            facts=about["facts"],
            **_sorted_out(arrays, sub_forms=_texts("sub_forms", about["sub_forms"])),
        )
    except _DAMAGE as error:
        raise ValueError(
            f"{path} is no predictions.npz that eval.py wrote, or is damaged: {_told(error)}"
        ) from error


@contextlib.contextmanager
def facts_from(source: pathlib.Path | str, *errors: type[Exception]) -> Iterator[None]:
    """Says in one line that facts are of another form; they are JSON, as a stranger may write it.

    Args:
      source: where they are from.
      errors: what code that uses facts raises at another form, beside AttributeError, KeyError and
        TypeError.

    Raises:
      ValueError: naming the source, where the context stumbles over a fact.
    """
    try:
        yield
    except (AttributeError, KeyError, TypeError, *errors) as error:
        raise ValueError(
            f"{source} has facts that eval.py did not write, so no report can be made: {error!r}"
        ) from error


def _about(predictions: StoredPredictions) -> bytes:
    """Returns what is no array, as ASCII: names of files may have bytes that are no UTF-8."""
    policy = predictions.policy
    about = {
        "version": _VERSION,
        "superclass_map": json.loads(predictions.superclass_map.to_json()),
        "base_kind": predictions.base_kind,
        "keys": [str(key) for key in predictions.keys],
        "policy": None if policy is None else json.loads(policy.to_json()),
        "sub_forms": sorted(predictions.subs),
        "facts": dict(predictions.facts),
    }
    return json.dumps(about, ensure_ascii=True, allow_nan=False, sort_keys=True).encode()


def _read_arrays(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Reads all arrays; no header in the file makes it take more memory than the file has bytes."""
    arrays = {}
    with open(path, "rb") as file, zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        if sum(entry.file_size for entry in entries) > os.fstat(file.fileno()).st_size:
            raise ValueError("its arrays are said to be larger than the file.")
        for entry in entries:
            name = entry.filename.removesuffix(".npy")
            if entry.compress_type != zipfile.ZIP_STORED or name in arrays:
                raise ValueError(f"{_short(name)} is compressed or there twice.")
            with archive.open(entry) as member:
                arrays[name] = _read_array(member, name, num_bytes=entry.file_size)
    return arrays


def _read_array(member: zipfile.ZipExtFile, name: str, *, num_bytes: int) -> np.ndarray:
    """Reads one array, of exactly the bytes that its header tells."""
    version = np.lib.format.read_magic(member)
    if version != (1, 0):
        raise ValueError(f"{_short(name)} is npy {version}, expected (1, 0).")
    shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(member)
    told = math.prod(shape) * dtype.itemsize
    if dtype not in _DTYPES or is_fortran or min(shape, default=0) < 0:
        raise ValueError(f"{_short(name)} is {dtype} of shape {shape}, expected {_DTYPES}.")
    if told != num_bytes - member.tell():
        raise ValueError(f"{_short(name)} has another size than its shape {shape} tells.")
    array = np.empty(told, np.uint8)
    view, done = memoryview(array), 0
    while done < told:
        # In pieces, or a second copy of all of it would be made. A wrong checksum is raised here.
        count = member.readinto(view[done : done + _CHUNK_BYTES])
        if not count:
            raise ValueError(f"{_short(name)} ends after {done} of {told} bytes.")
        done += count
    return array.view(dtype).reshape(shape)


def _read_about(data: bytes) -> dict[str, object]:
    """Returns the fields of `_about`, of the version that this code reads."""
    about = json_objects.read(data.decode("ascii"), subject=_ABOUT)
    if about.get("version") != _VERSION:
        raise ValueError(f"its version is {_short(about.get('version'))}, expected {_VERSION}.")
    json_objects.check_names(about, _ABOUT_FIELDS, subject=_ABOUT)
    if not isinstance(about["facts"], dict):
        raise ValueError(f"facts is {_short(about['facts'])}, expected an object.")
    return about


def _texts(name: str, values: object) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError(f"{name} is {_short(values)}, expected a list of texts.")
    return tuple(values)


def _sorted_out(
    arrays: Mapping[str, np.ndarray], *, sub_forms: tuple[str, ...]
) -> dict[str, object]:
    """Returns `logits` and `subs` of StoredPredictions."""
    logits, subs = {}, {form: {} for form in sub_forms}
    for name, array in arrays.items():
        kind, *of = name.split(".")
        if kind not in ("logits", "indices") or len(of) != 2:
            raise ValueError(f"it has an array {_short(name)}, expected logits and indices.")
        first, second = of
        if not second.isdecimal():
            logits[first, second] = array
        elif kind == "logits":
            indices = arrays[f"indices.{first}.{second}"]
            subs[first][int(second)] = SubLogits(indices, array)
    return {"logits": logits, "subs": subs}


def _told(error: Exception) -> str:
    """Returns what is wrong; of a key that is missing, Python says the key alone."""
    return f"{error} is missing." if isinstance(error, KeyError) else str(error)


def _short(value: object) -> str:
    # It may be a megabyte.
    return reprlib.repr(value)
