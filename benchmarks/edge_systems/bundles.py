"""Bundles to measure, and the full .tflite files that stand beside them."""

from __future__ import annotations

import hashlib
import pathlib
import subprocess
import sys

from ss_tf.edge.bundle import Bundle

_ROOT = pathlib.Path(__file__).parents[2]
_BASE = "base"
# Of what is in a bundle. Their text stands for what they do.
_SOURCES = (
    "edge/delta_layout.py",
    "edge/diff.py",
    "edge/manifest.py",
    "edge/packing.py",
    "export/edge_bundle.py",
    "export/tflite.py",
    "models/resnet.py",
)


def export(run_dir: pathlib.Path, work_dir: pathlib.Path) -> pathlib.Path:
    """Exports a run, or finds that it was by the code as it is; returns the bundle.

    Raises:
      RuntimeError: if the export fails; what it printed says why.
    """
    digest = hashlib.sha256()
    for source in _SOURCES:
        digest.update((_ROOT / "ss_tf" / source).read_bytes())
    bundle = work_dir / f"{run_dir.name}_bundle_{digest.hexdigest()[:12]}"
    if not bundle.exists():
        command = [sys.executable, _ROOT / "export.py", f"--run_dir={run_dir}", "--format=tflite"]
        if subprocess.run([*command, f"--output={bundle}"], check=False).returncode:
            raise RuntimeError(f"The export of {run_dir} failed; what it printed says why.")
    return bundle


def write_full_files(bundle: pathlib.Path) -> dict[str, pathlib.Path]:
    """Writes every network of a bundle as a file of its own, beside it.

    They are what the conversions gave: the export compares each, byte by byte.

    Returns:
      "base" and name of each superclass that has a sub network -> file.
    """
    whole = Bundle(bundle)
    folder = bundle.with_name(f"{bundle.name}_full")
    folder.mkdir(exist_ok=True)
    base = whole.base()
    found = {}
    for name in (_BASE, *whole.manifest.subs):
        found[name] = folder / f"{name}.tflite"
        found[name].write_bytes(base if name == _BASE else whole.sub(name, base=base))
    return found


def sizes(bundle: pathlib.Path, full_files: dict[str, pathlib.Path]) -> dict[str, object]:
    """Returns the bytes of all files, and `bundle_ratio`."""
    counted = {
        str(path.relative_to(bundle)): path.stat().st_size
        for path in sorted(bundle.rglob("*"))
        if path.is_file()
    }
    full_bytes = sum(path.stat().st_size for path in full_files.values())
    return {
        "bundle_ratio": sum(counted.values()) / full_bytes,
        "bundle_bytes": sum(counted.values()),
        "full_files": len(full_files),
        "full_bytes": full_bytes,
        "files": counted,
    }
