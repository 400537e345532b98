"""The patcher in C++ and the one in Python agree, on test vectors and on damaged files."""

import os
import pathlib
import shutil
import subprocess

import numpy as np
import pytest

from ss_tf.edge import patch

_ROOT = pathlib.Path(__file__).parents[2]
_SOURCE = _ROOT / "examples" / "edge_cpp" / "edge_patch.cc"
_GOLDEN = pathlib.Path(__file__).parent / "golden"
_HEADER = "#include <zlib.h>\nint main() {}\n"


@pytest.fixture(scope="module")
def patcher(tmp_path_factory):
    """Returns the patcher, built so that it stops at memory errors."""
    if shutil.which("g++") is None:
        _do_without("g++ is not installed.")
    folder = tmp_path_factory.mktemp("edge_cpp")
    compiler = ["g++", "-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror"]
    has_zlib = subprocess.run(
        ["g++", "-x", "c++", "-fsyntax-only", "-"], input=_HEADER, text=True, check=False
    )
    if has_zlib.returncode:
        _do_without("zlib.h is not installed.")
    program = folder / "edge_patch"
    command = [*compiler, "-fsanitize=address,undefined", _SOURCE, "-lz", "-o", program]
    subprocess.run(command, check=True)
    return program


def _do_without(reason):
    """Skips a test; where changes are tested before they land, it has to run."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)


def _run(patcher, folder, base, delta):
    """Returns the network, or None, and what was complained of."""
    (folder / "base").write_bytes(base)
    (folder / "delta").write_bytes(delta)
    (folder / "output").unlink(missing_ok=True)
    done = subprocess.run(
        [patcher, folder / "base", folder / "delta", folder / "output"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Sanitizer" not in done.stderr
    return (folder / "output").read_bytes() if done.returncode == 0 else None, done.stderr


@pytest.mark.parametrize("name", ["small", "all_kinds", "products"])
def test_test_vectors_in_python(name):
    base, sub = ((_GOLDEN / f"{name}_{which}.bin").read_bytes() for which in ("base", "sub"))
    assert patch.apply(base, (_GOLDEN / f"{name}.delta").read_bytes()) == sub


@pytest.mark.parametrize("name", ["small", "all_kinds", "products"])
def test_test_vectors_in_cpp(patcher, tmp_path, name):
    base, sub = ((_GOLDEN / f"{name}_{which}.bin").read_bytes() for which in ("base", "sub"))
    delta = (_GOLDEN / f"{name}.delta").read_bytes()
    assert _run(patcher, tmp_path, base, delta) == (sub, "")


@pytest.mark.parametrize("name", ["small", "products"])
def test_damaged_files_are_refused_in_one_line(patcher, tmp_path, name):
    base = (_GOLDEN / f"{name}_base.bin").read_bytes()
    delta = (_GOLDEN / f"{name}.delta").read_bytes()
    rng = np.random.default_rng(0)
    # Those of the header, and some of the streams.
    for place in [*range(100), *range(100, len(delta), 5)]:
        damaged = bytearray(delta)
        damaged[place] ^= int(rng.integers(1, 256))
        network, message = _run(patcher, tmp_path, base, bytes(damaged))
        assert network is None
        assert message.startswith("edge_patch: ")
        assert message.count("\n") == 1
    for length in range(0, len(delta), 7):
        assert _run(patcher, tmp_path, base, delta[:length])[0] is None
    assert "of another base" in _run(patcher, tmp_path, base[::-1], delta)[1]


def test_patcher_is_short():
    assert _SOURCE.read_text().count("\n") <= 200
