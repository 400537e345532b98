"""A bundle: the folder that a device gets. Files are checked before they are used."""

from __future__ import annotations

import dataclasses
import hashlib
import pathlib

from ss_tf import files
from ss_tf.edge import patch
from ss_tf.edge.manifest import FILE_NAME, FileFacts, Manifest

_DELTAS = "deltas"


class Bundle:
    """The files of a bundle.

    ```
    manifest.json             labels, preprocessing, routing, digests
    super.tflite              the base; flat.tflite of a flat one
    deltas/SUPERCLASS.delta   what makes the sub network's .tflite of the base's
    ```

    Attributes:
      path: the folder.
      manifest: what it says of itself.
    """

    def __init__(self, path: pathlib.Path):
        """Reads the manifest.

        Raises:
          ValueError: if there is none, or it is damaged or of a newer version.
        """
        self.path = pathlib.Path(path)
        if not (self.path / FILE_NAME).is_file():
            raise ValueError(f"{self.path} is no edge bundle: {FILE_NAME} is missing.")
        self.manifest = Manifest.load(self.path / FILE_NAME)

    @property
    def base_file(self) -> pathlib.Path:
        """The base's .tflite file."""
        return base_file(self.path, self.manifest.base_kind)

    def base(self) -> bytes:
        """Reads the base's .tflite file.

        Raises:
          ValueError: naming the file, if it is missing or damaged.
        """
        return _read(self.base_file, self.manifest.base)

    def sub(self, superclass_name: str, *, base: bytes, num_threads: int = 1) -> bytes:
        """Makes the .tflite file of a sub network, and checks its digest.

        Args:
          superclass_name: whose; one of `manifest.subs`.
          base: what `base` returned. Not modified.
          num_threads: that share the work.

        Raises:
          ValueError: naming the file, if it is missing, damaged, or of another bundle.
        """
        delta = self.delta(superclass_name)
        network = delta.restore(base, num_threads=num_threads)
        delta.check(network)
        return network

    def delta(self, superclass_name: str) -> Delta:
        """Reads the delta of a sub network, and checks its digest.

        Raises:
          ValueError: naming the file, if it is missing, damaged, or another network's.
        """
        path, facts = delta_file(self.path, superclass_name), self.manifest.subs[superclass_name]
        data = _read(path, facts.delta)
        try:
            result_sha256 = patch.result_sha256(data)
        except ValueError as error:
            raise ValueError(f"{path} cannot be used: {error}") from error
        if result_sha256.hex() != facts.network.sha256:
            raise ValueError(
                f"{path} gives the network {result_sha256.hex()[:16]}, expected "
                f"{facts.network.sha256[:16]}, as the manifest says: export the run again."
            )
        return Delta(path, data, base_sha256=bytes.fromhex(self.manifest.base.sha256))


@dataclasses.dataclass(frozen=True)
class Delta:
    """The delta of a sub network, as it is on disk.

    Attributes:
      path: of its file.
      data: what is in it.
      base_sha256: digest of the base.
    """

    path: pathlib.Path
    data: bytes
    base_sha256: bytes

    def restore(self, base: bytes, *, num_threads: int = 1) -> bytes:
        """Makes the sub network's .tflite file, which is not to be used before `check`.

        Args:
          base: what `Bundle.base` returned. Not modified.
          num_threads: that share the work.

        Raises:
          ValueError: naming the file, if it is damaged, or of another bundle.
        """
        try:
            return patch.apply_unchecked(
                base, self.data, base_sha256=self.base_sha256, num_threads=num_threads
            )
        except ValueError as error:
            raise ValueError(f"{self.path} cannot be used: {error}") from error

    def check(self, network: bytes) -> None:
        """Raises ValueError, naming the file, unless a network has the digest that it should.

        Other threads run meanwhile.
        """
        if hashlib.sha256(network).digest() != patch.result_sha256(self.data):
            raise ValueError(f"{self.path} cannot be used: what it gives has another SHA-256.")


def base_file(bundle_dir: pathlib.Path, base_kind: str) -> pathlib.Path:
    """Returns where a bundle has its base."""
    return bundle_dir / f"{base_kind}.tflite"


def delta_file(bundle_dir: pathlib.Path, superclass_name: str) -> pathlib.Path:
    """Returns where a bundle has the delta of a superclass.

    Raises:
      ValueError: if the name cannot be that of a file inside the bundle.
    """
    files.check_name(superclass_name, subject="Superclass")
    return bundle_dir / _DELTAS / f"{superclass_name}.delta"


def facts_of(data: bytes) -> FileFacts:
    """Returns length and digest of a file's content."""
    return FileFacts(len(data), hashlib.sha256(data).hexdigest())


def _read(path: pathlib.Path, facts: FileFacts) -> bytes:
    """Reads a file that has to be as the manifest says."""
    if not path.is_file():
        raise ValueError(f"{path} is missing, the bundle is not whole: copy it anew.")
    try:
        # First, as no more memory is to be asked for than the file takes.
        size = path.stat().st_size
        with open(path, "rb") as file:
            data = file.read(facts.num_bytes) if size == facts.num_bytes else b""
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}.") from error
    sha256 = facts_of(data).sha256
    difference = None
    if size != facts.num_bytes:
        difference = f"{size} bytes, expected {facts.num_bytes}"
    elif sha256 != facts.sha256:
        difference = f"the SHA-256 {sha256[:16]}, expected {facts.sha256[:16]}"
    if difference:
        raise ValueError(
            f"{path} is damaged: it has {difference}, as the manifest says: copy it anew."
        )
    return data
