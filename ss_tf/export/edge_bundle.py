"""Exports a run as a bundle for devices, or its networks as plain .tflite files."""

from __future__ import annotations

import os
import pathlib
import tempfile
from collections.abc import Iterator, Mapping

from tqdm import tqdm

from ss_tf import files
from ss_tf.config import RunConfig
from ss_tf.data import catalog
from ss_tf.data.examples import ImageFormat
from ss_tf.edge import bundle as bundles
from ss_tf.edge import diff, manifest, patch
from ss_tf.edge.manifest import Manifest, SubFacts
from ss_tf.export import saved_model, tflite
from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.models.integer_network import IntegerNetwork
from ss_tf.models.resnet import build_resnet
from ss_tf.routing import fitted_policy, int8_networks
from ss_tf.routing.policy import RoutingPolicy
from ss_tf.training.run_dir import RunDir


def export_bundle(config: RunConfig, run: RunDir, *, routing: str, output: pathlib.Path) -> str:
    """Writes a run's int8 base and deltas of its sub networks as a bundle.

    Every sub network is made of what was written, and compared with what was converted.

    Args:
      config: the run's settings.
      run: its folder.
      routing: "hard", or "soft" for the run's fitted policy.
      output: folder to make; it appears whole or not at all.

    Returns:
      What was written, as text for a terminal.

    Raises:
      ValueError: if there is something at `output` already, the run lacks a network or the policy,
        one is damaged, or networks have another layout than the base; the message says what to do.
    """
    labels_map = run.superclass_map()
    policy = fitted_policy.load(config, run, routing)
    saved_model.check_is_new(output)
    output.parent.mkdir(parents=True, exist_ok=True)  # Before the minute that conversions take.
    image_format = catalog.image_format(config.data.name)
    networks = int8_networks.load(config, run, labels_map)
    converted = dict(_convert_all(config, networks, labels_map, image_format=image_format))
    base = converted.pop(int8_networks.BASE)
    deltas = {name: _checked_delta(name, base, sub) for name, sub in converted.items()}
    facts = {
        name: SubFacts(bundles.facts_of(deltas[name]), bundles.facts_of(sub))
        for name, sub in converted.items()
    }
    about = Manifest(
        base_kind=config.base,
        superclass_map=labels_map,
        policy=policy,
        image_size=config.data.image_size,
        channels=image_format.channels,
        mean=tuple(image_format.mean),
        std=tuple(image_format.std),
        crop_fraction=image_format.crop_fraction,
        signature=tflite.SIGNATURE,
        head_width=_head_width(config, labels_map),
        base=bundles.facts_of(base),
        subs=facts,
        source=int8_networks.digest(networks),
    )
    write(output, about, base=base, deltas=deltas)
    return _summary(output, run, base=base, deltas=deltas, policy=policy)


def write(
    output: pathlib.Path, about: Manifest, *, base: bytes, deltas: Mapping[str, bytes]
) -> None:
    """Writes the files of a bundle into a folder, which appears whole or not at all."""
    saved_model.check_is_new(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{output.name}.", dir=output.parent) as folder:
        whole = pathlib.Path(folder) / "bundle"
        files.write_atomically(bundles.base_file(whole, about.base_kind), base)
        for name, delta in deltas.items():
            files.write_atomically(bundles.delta_file(whole, name), delta)
        files.write_atomically(whole / manifest.FILE_NAME, about.to_json().encode())
        os.replace(whole, output)


def _checked_delta(name: str, base: bytes, sub: bytes) -> bytes:
    """Returns the delta of a sub network, which was tried."""
    regions = tflite.check_same_layout({"of the base": base, f"of {name}": sub})
    delta = diff.make(base, sub, regions)
    if patch.apply(base, delta) != sub:
        raise ValueError(f"The delta of {name} does not give its network back.")
    return delta


def _convert_all(
    config: RunConfig,
    networks: Mapping[str, IntegerNetwork],
    labels_map: SuperclassMap,
    *,
    image_format: ImageFormat,
) -> Iterator[tuple[str, bytes]]:
    """Yields name and int8 .tflite file of the base and of each sub network."""
    model = build_resnet(
        config.model,
        num_classes=_head_width(config, labels_map),
        image_size=config.data.image_size,
        channels=image_format.channels,
        is_subsampling=True,
    )
    converter = tflite.Converter(model)
    for name in (bar := tqdm(networks, unit="network", desc="Converting")):
        bar.set_postfix_str(name or config.base)
        yield name, converter.convert(networks[name])


def _head_width(config: RunConfig, labels_map: SuperclassMap) -> int:
    """Returns the number of classes of the widest network."""
    widths = [len(labels_map.labels_in(index)) for index in range(labels_map.num_superclasses)]
    is_flat = config.base == "flat"
    return max(labels_map.num_labels if is_flat else labels_map.num_superclasses, *widths)


def _summary(
    output: pathlib.Path,
    run: RunDir,
    *,
    base: bytes,
    deltas: Mapping[str, bytes],
    policy: RoutingPolicy,
) -> str:
    size = sum(path.stat().st_size for path in output.rglob("*") if path.is_file())
    full = len(base) * (1 + len(deltas))
    return "\n".join(
        [
            f"{output}: edge bundle of {run.path}, {size / 1e6:.2f} MB, {size / full:.3f} of "
            f"{1 + len(deltas)} full int8 .tflite files, at most {policy.top_k} sub network(s) per "
            "image.",
            "To use it, with numpy, ai-edge-litert and Pillow:",
            f"  python -m ss_tf.edge {output} photo.jpg",
            "The format, for other languages: docs/edge_format.md.",
        ]
    )
