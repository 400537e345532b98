"""Fetches a headless Chromium from npm, for the tests of the page, unless the system has one.

python tools/fetch_chromium.py

For Linux on x86-64; needs npm and the test extra. It goes into the folder of the virtual
environment, and nothing else changes.
"""

from __future__ import annotations

import base64
import hashlib
import io
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile

import brotli

# The package brings the browser and the libraries that it needs beside glibc, each packed on its
# own. Its license is MIT.
_PACKAGE = "@sparticuz/chromium@153.0.0"
# As the registry tells it (`npm view PACKAGE dist.integrity`): a program of strangers will run.
_SHA512 = "jiGWqSvPMdu4+P9TilYqAR7yEGPEHINx+lCvE/NqNO/EHYzF/x1hUiI5T6ioVIt7dEy7n88byyT0vk+dnsgQwA=="


_FOLDER = pathlib.Path(sys.prefix) / "chromium"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find() -> tuple[pathlib.Path, dict[str, str]] | None:
    """Returns a Chromium and the environment it needs: that of the system, else the fetched one."""
    for found in filter(None, map(shutil.which, _NAMES)):
        return pathlib.Path(found), {}
    if (_FOLDER / "chromium").exists():
        return _FOLDER / "chromium", {"LD_LIBRARY_PATH": str(_FOLDER / "lib")}
    return None


def fetch() -> None:
    """Writes `chromium` and `lib/` into the folder.

    Raises:
      ValueError: if npm is missing or fails, or gives another package than the one known here.
    """
    if shutil.which("npm") is None:
        raise ValueError(
            "npm is not on the path, expected it: install Chromium, or npm and run this again."
        )
    with tempfile.TemporaryDirectory() as temporary:
        packed = _packed(pathlib.Path(temporary))
        digest = base64.b64encode(hashlib.sha512(packed).digest()).decode()
        if digest != _SHA512:
            raise ValueError(f"{_PACKAGE} has the SHA-512 {digest}, expected {_SHA512}.")
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            libraries, browser = (
                brotli.decompress(archive.extractfile(f"package/bin/{name}").read())
                for name in ("al2023.tar.br", "chromium.br")
            )
    with tarfile.open(fileobj=io.BytesIO(libraries)) as archive:
        archive.extractall(_FOLDER, filter="data")
    path = _FOLDER / "chromium"
    path.write_bytes(browser)
    path.chmod(0o755)


def _packed(folder: pathlib.Path) -> bytes:
    """Returns the package as npm has it, having stored it in a folder."""
    done = subprocess.run(
        ["npm", "pack", _PACKAGE, "--pack-destination", str(folder)],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise ValueError(f"npm cannot get {_PACKAGE}: {done.stderr.strip()}")
    return next(folder.glob("*.tgz")).read_bytes()


if __name__ == "__main__":
    try:
        if find() is None:
            fetch()
    except ValueError as error:
        sys.exit(str(error))
    print(find()[0])
