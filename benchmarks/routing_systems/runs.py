"""Runs to measure: folders with drawn networks, and the images of real ones."""

from __future__ import annotations

import dataclasses
import hashlib
import pathlib

import numpy as np
import tqdm
from absl import flags
from delta_coding import synthetic

from ss_tf import files, run_flags
from ss_tf.config import STAGES, ModelConfig, RunConfig
from ss_tf.data import catalog, input_pipeline
from ss_tf.deltas import bank
from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.models import delta_grid, int8_grid, integer_network, quantization, variables
from ss_tf.models.integer_network import IntegerNetwork
from ss_tf.models.resnet import build_resnet, stage_of
from ss_tf.training.run_dir import SUPER, RunDir

# Of the largest kernels, in int8 steps. They give what training at 0.7 bits leaves at full width
# (docs/results/delta_accuracy.json): entries of a bank of 0.08 of the int8 network.
_STEP, _SPREAD = 3, 0.5
_KERNEL_STD = 38.0
_CHANNELS = 3
# Of what is drawn. Their text stands for all numbers in them.
_SOURCES = (pathlib.Path(__file__), pathlib.Path(synthetic.__file__))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shape:
    """Of the drawn networks.

    Attributes:
      base_width: filters of the first stage.
      blocks: in each stage.
      image_size: pixels.
      superclasses: of the systems that are compared.
      subclasses: of each superclass.
      growth: numbers of superclasses that memory and time are measured over.
      shared_stage: up to which the sub networks with a shared trunk are the base.
    """

    base_width: int = 64
    blocks: tuple[int, int, int, int] = (2, 2, 2, 2)
    image_size: int = 224
    superclasses: int = 10
    subclasses: int = 100
    growth: tuple[int, ...] = (2, 5, 10, 50)
    shared_stage: str = "layer2"


# To try the benchmark itself.
SMALL = Shape(
    base_width=4,
    blocks=(1, 1, 1, 1),
    image_size=32,
    superclasses=3,
    subclasses=4,
    growth=(2, 3),
)


def drawn_dir(work_dir: pathlib.Path, shape: Shape) -> pathlib.Path:
    """Returns the folder for what is drawn in a shape; another one if drawing itself changes."""
    digest = hashlib.sha256(repr(shape).encode())
    for source in _SOURCES:
        digest.update(source.read_bytes())
    return work_dir / f"drawn_{digest.hexdigest()[:12]}"


def draw_body(shape: Shape, *, seed: int = 0) -> IntegerNetwork:
    """Draws a ResNet-18 with batch norm, its activation ranges those of random images."""
    model = ModelConfig(
        backbone="resnet18",
        resnet_blocks=shape.blocks,
        base_width=shape.base_width,
        stem="imagenet",
    )
    network = build_resnet(
        model, num_classes=shape.subclasses, image_size=shape.image_size, channels=_CHANNELS
    )
    generator = np.random.default_rng(seed)
    values = variables.values_by_name(network)
    for name, value in values.items():
        if name.endswith(("/gamma", "/moving_variance")):
            values[name] = generator.lognormal(0, 0.2, value.shape)
        elif name.endswith(("/beta", "/moving_mean")):
            values[name] = generator.normal(0, 0.1, value.shape)
    variables.assign(network, values)
    qat_model = quantization.quantize(network, freeze_kernel_ranges=True)
    images = draw_images(8, shape, seed=seed)
    quantization.calibrate(qat_model, [images], input_range=(-5.0, 5.0))
    int8_grid.snap(qat_model)
    return int8_grid.to_integer(qat_model, {"network": "synthetic"})


def kept_body(folder: pathlib.Path, shape: Shape) -> IntegerNetwork:
    """Returns a drawn ResNet-18 that is kept in a folder, drawn now if it is not there."""
    file = folder / "body.safetensors"
    if not file.is_file():
        integer_network.save(draw_body(shape), file)
    return integer_network.load(file)


def draw_images(count: int, shape: Shape, *, seed: int) -> np.ndarray:
    """Returns float32 `[count, image_size, image_size, channels]`."""
    generator = np.random.default_rng(seed)
    size = (count, shape.image_size, shape.image_size, _CHANNELS)
    return generator.standard_normal(size, np.float32)


def write(
    path: pathlib.Path,
    body: IntegerNetwork,
    shape: Shape,
    *,
    superclasses: int,
    shared_stage: str | None = None,
) -> None:
    """Writes a run folder with a drawn base and bank; one that is there already is kept.

    Args:
      path: of the folder.
      body: the base; its head is drawn anew.
      shape: what it was drawn with.
      superclasses: how many sub networks there are.
      shared_stage: up to which they are the base; None for not at all.
    """
    run, generator = RunDir(path), np.random.default_rng(superclasses)
    if run.map_file.is_file():
        return
    names = [f"superclass{number}" for number in range(superclasses)]
    base = _with_head(body, superclasses, generator)
    integer_network.save(base, run.int8_file(SUPER))
    for name in tqdm.tqdm(names, desc=f"Drawing {path.name}"):
        sub = _draw_sub(base, generator, num_classes=shape.subclasses, shared_stage=shared_stage)
        bank.write_entry(run.bank_dir, name, base=base, sub=sub)
    own_flags = {
        "dataset": "superclass_imagenet",
        "image_size": shape.image_size,
        "backbone": "resnet18",
        "resnet_blocks": ",".join(map(str, shape.blocks)),
        "base_width": shape.base_width,
        "stem": "imagenet",
        "sub_init": SUPER,
    }
    text = "".join(f"--{name}={value}\n" for name, value in own_flags.items())
    files.write_atomically(run.flags_file, text.encode())
    groups = {name: [f"{name} {i}" for i in range(shape.subclasses)] for name in names}
    # Last, for it marks the folder as a run.
    text = SuperclassMap.from_groups(groups).to_json()
    files.write_atomically(run.map_file, text.encode())


def config_of(run: RunDir) -> RunConfig:
    """Returns the settings of a run; one run for each process, as flags are global.

    Raises:
      ValueError: if the folder is no run, or has no base to predict with.
    """
    run.superclass_map()
    flags.FLAGS(["routing"])
    run_flags.adopt_run_flags(run.flags_file)
    config = run_flags.run_config()
    if config.base is None:
        raise ValueError(f"{run.path} has no base to predict with.")
    return config


def validation(run: RunDir) -> tuple[np.ndarray, np.ndarray, SuperclassMap]:
    """Returns all validation images of a run, normalised, their labels, and the superclass map."""
    config = config_of(run)
    dataset = catalog.load(config.data)
    run.check_data(dataset)
    batches = input_pipeline.eval_batches(
        dataset.validation,
        catalog.image_format(config.data.name),
        image_size=config.data.image_size,
        batch_size=64,
    )
    images = np.concatenate([batch["image"] for batch in batches.as_numpy_iterator()])
    labels = dataset.validation.labels
    return images[: len(labels)], labels, dataset.superclass_map


def _draw_sub(
    base: IntegerNetwork,
    generator: np.random.Generator,
    *,
    num_classes: int,
    shared_stage: str | None,
) -> IntegerNetwork:
    last = -1 if shared_stage is None else STAGES.index(shared_stage)

    def is_own(name):
        return stage_of(name.split("/")[0]) > last and not integer_network.is_head(name)

    kernels, floats = dict(base.kernels), dict(base.floats)
    steps = delta_grid.relative_steps(base)
    for name in filter(is_own, base.kernels):
        step = int(delta_grid.whole_steps(_STEP, steps[name]))
        kernels[name] = synthetic.moved(kernels[name], generator, step=step, spread=_SPREAD)
    for name in filter(is_own, base.floats):
        moved = floats[name] * generator.lognormal(0, 0.1, floats[name].shape)
        floats[name] = np.asarray(moved, np.float32)
    sub = IntegerNetwork(kernels, base.scales, floats, base.metadata)
    return _with_head(sub, num_classes, generator)


def _with_head(
    network: IntegerNetwork, num_classes: int, generator: np.random.Generator
) -> IntegerNetwork:
    kernel, bias = (f"{integer_network.HEAD}/{name}" for name in ("kernel", "bias"))
    size = (network.kernels[kernel].shape[0], num_classes)
    drawn = np.clip(np.rint(generator.normal(0, _KERNEL_STD, size)), -127, 127).astype(np.int8)
    own_bias = generator.normal(0, 0.05, num_classes).astype(np.float32)
    return dataclasses.replace(
        network,
        kernels=network.kernels | {kernel: drawn},
        floats=network.floats | {bias: own_bias},
    )
