"""A trained run as one model that other programs load."""

from __future__ import annotations

import pathlib
import textwrap

import tensorflow as tf

from ss_tf.config import RunConfig
from ss_tf.data import catalog
from ss_tf.export import saved_model
from ss_tf.routing import fitted_policy, loading
from ss_tf.training.run_dir import RunDir

_WIDTH = 100
# A blank at which no line is broken.
_JOINT = "\N{NO-BREAK SPACE}"


def export_saved_model(
    config: RunConfig, run: RunDir, *, routing: str, output: pathlib.Path
) -> str:
    """Writes a run's int8 base and its bank as a SavedModel, and loads it to see that it is whole.

    Args:
      config: the run's settings.
      run: its folder.
      routing: "hard", or "soft" for the run's fitted policy.
      output: folder to make.

    Returns:
      What was written, its signatures and how to load it, as text for a terminal.

    Raises:
      ValueError: if there is something at `output` already, the run lacks a network or the policy,
        or one is damaged; the message says what to do.
      OSError: if it cannot be written.
    """
    superclass_map = run.superclass_map()
    policy = fitted_policy.load(config, run, routing)
    saved_model.check_is_new(output)  # Before the seconds that loading takes.
    image_format = catalog.image_format(config.data.name)
    router = loading.load_router(config, run, image_format=image_format, policy=policy)
    saved_model.save(router, output, superclass_map=superclass_map, image_format=image_format)
    return "\n".join(
        [
            f"{output}: SavedModel of {run.path}, {_megabytes(output):.1f} MB, {routing} routing, "
            f"{superclass_map.num_superclasses} superclasses, {superclass_map.num_labels} labels.",
            "",
            "Signatures, for batches of any size:",
            *signature_lines(output),
            "",
            "To use it, from any folder and without ss_tf:",
            "  import tensorflow as tf",
            f"  model = tf.saved_model.load({str(output.absolute())!r})",
            '  print(model.signatures["serving_jpeg"](encoded=[tf.io.read_file("photo.jpg")]))',
            "With TensorFlow Serving: docs/EXPORT.md.",
        ]
    )


def signature_lines(path: pathlib.Path) -> list[str]:
    """Loads a SavedModel and tells its signatures.

    Returns:
      Lines for a terminal: inputs of each signature; then its outputs, once for all signatures
      that have the same.
    """
    signatures = tf.saved_model.load(str(path)).signatures
    by_outputs = {}
    # Sorted, as TensorFlow keeps no order.
    for name, function in sorted(signatures.items()):
        _, inputs = function.structured_input_signature
        outputs = _listed(function.structured_outputs)
        by_outputs.setdefault(outputs, []).append(f"  {name}({_listed(inputs)})")
    lines = []
    for outputs, callables in by_outputs.items():
        indents = {"initial_indent": "    -> ", "subsequent_indent": " " * 7}
        lines += callables + textwrap.wrap(outputs, _WIDTH, **indents)
    return [line.replace(_JOINT, " ") for line in lines]


def _listed(specs: dict[str, tf.TensorSpec]) -> str:
    """Returns `images: float32 [batch, 32, 32, 3]`, one after another, each in one word."""
    listed = []
    for name, spec in sorted(specs.items()):
        sizes = ["any" if size is None else str(size) for size in spec.shape[1:]]
        parts = f"{name}: {spec.dtype.name} [{', '.join(['batch', *sizes])}]"
        listed.append(parts.replace(" ", _JOINT))
    return ", ".join(listed)


def _megabytes(folder: pathlib.Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
