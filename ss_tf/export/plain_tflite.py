"""Exports the networks of a run as full .tflite files, each with a head of its own width."""

from __future__ import annotations

import itertools
import os
import pathlib
import tempfile

from tqdm import tqdm

from ss_tf import files
from ss_tf.config import RunConfig
from ss_tf.data import catalog
from ss_tf.export import saved_model, tflite
from ss_tf.models import integer_network
from ss_tf.models.resnet import build_resnet
from ss_tf.routing import int8_networks
from ss_tf.training.run_dir import RunDir


def export_plain(config: RunConfig, run: RunDir, *, output: pathlib.Path) -> str:
    """Writes the base and each sub network in int8 and in float16.

    Args:
      config: the run's settings.
      run: its folder.
      output: folder to make; it appears whole or not at all.

    Returns:
      What was written, as text for a terminal.

    Raises:
      ValueError: if there is something at `output` already, the run lacks a network, or one is
        damaged; the message says what to do.
    """
    saved_model.check_is_new(output)
    labels_map = run.superclass_map()
    image_format = catalog.image_format(config.data.name)
    # Those of one width share a model.
    networks = sorted(
        int8_networks.load(config, run, labels_map).items(),
        key=lambda pair: integer_network.num_classes(pair[1]),
    )
    by_width = itertools.groupby(networks, lambda pair: integer_network.num_classes(pair[1]))
    output.parent.mkdir(parents=True, exist_ok=True)
    sizes = {}
    with tempfile.TemporaryDirectory(prefix=f".{output.name}.", dir=output.parent) as folder:
        whole = pathlib.Path(folder) / "plain"
        progress = tqdm(total=len(networks) * len(tflite.FORMS), unit="file", desc="Converting")
        for width, members in by_width:
            model = build_resnet(
                config.model,
                num_classes=width,
                image_size=config.data.image_size,
                channels=image_format.channels,
                is_subsampling=True,
            )
            converters = {form: tflite.Converter(model, form=form) for form in tflite.FORMS}
            for name, network in members:
                for form, converter in converters.items():
                    stem = config.base if name == int8_networks.BASE else f"sub_{name}"
                    path = whole / f"{stem}.{form}.tflite"
                    files.write_atomically(path, converter.convert(network))
                    sizes[path.name] = path.stat().st_size
                    progress.update()
        progress.close()
        os.replace(whole, output)
    lines = [f"  {name}  {size / 1e6:.2f} MB" for name, size in sorted(sizes.items())]
    return "\n".join([f"{output}: {len(sizes)} .tflite files of {run.path}.", *lines])
