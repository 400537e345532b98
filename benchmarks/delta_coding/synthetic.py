"""Deltas drawn at random, in the shapes of a ResNet-18 of full width."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from delta_coding.cases import Case, body_kernels

from ss_tf.models import integer_network
from ss_tf.models.integer_network import IntegerNetwork

_BASE_WIDTH, _STAGES, _BLOCKS = 64, 4, 2
_BASE_CLASSES, _SUB_CLASSES = 10, 26
# Name -> step and spread of the Laplace distribution, both in int8 steps. The first is about what
# fine-tuning with a penalty on deltas leaves, the last what it leaves without one.
_RATES = {"0.6 bit": (4, 0.765), "1.5 bit": (1, 0.515), "4 bit": (1, 2.72)}
# Standard deviations of log(spread) between layers and between the channels of a layer, and of the
# int8 kernels of a base: those of the typefaces' ResNet-18 without a penalty.
_LAYER_SPREAD, _CHANNEL_SPREAD, _KERNEL_STD = 0.29, 0.28, 38.0


def draw(*, base_width: int = _BASE_WIDTH, seed: int = 0) -> list[Case]:
    """Draws a delta for each rate, all relative to one base; 11.2 M weights at width 64."""
    generator = np.random.default_rng(seed)
    base = _draw_base(kernel_shapes(base_width), generator)
    return [
        Case(name=name, base=base, sub=_draw_sub(base, generator, step=step, spread=spread))
        for name, (step, spread) in _RATES.items()
    ]


def kernel_shapes(width: int) -> dict[str, tuple[int, ...]]:
    """Returns the kernels of a ResNet-18 with the ImageNet stem, as `ss_tf.models.resnet`'s."""
    shapes = {"conv1": (7, 7, 3, width)}
    inputs = width
    for stage in range(_STAGES):
        filters = width * 2**stage
        for block in range(_BLOCKS):
            name = f"layer{stage + 1}.{block}"
            shapes[f"{name}.conv1"] = (3, 3, inputs, filters)
            shapes[f"{name}.conv2"] = (3, 3, filters, filters)
            if inputs != filters:
                shapes[f"{name}.downsample.0"] = (1, 1, inputs, filters)
            inputs = filters
    return {f"{name}/kernel": shape for name, shape in shapes.items()}


def moved(
    kernel: np.ndarray, generator: np.random.Generator, *, step: int, spread: float
) -> np.ndarray:
    """Moves a kernel's int8 weights by whole steps, as training does.

    Args:
      kernel: int8 `[..., out_channels]`.
      generator: drawn from.
      step: of the moves, int8 steps.
      spread: of the Laplace distribution they are of, int8 steps.
    """
    spreads = spread * generator.lognormal(0, _LAYER_SPREAD)
    spreads = spreads * generator.lognormal(0, _CHANNEL_SPREAD, kernel.shape[-1])
    # Clipped sums leave a few residuals that are no multiple of the step: so does training.
    moves = step * np.rint(generator.laplace(0, 1, kernel.shape) * spreads / step)
    return _int8(kernel + moves)


def _draw_base(
    shapes: Mapping[str, tuple[int, ...]], generator: np.random.Generator
) -> IntegerNetwork:
    kernels, scales, floats = {}, {}, {}
    for name, shape in shapes.items():
        kernels[name] = _int8(generator.normal(0, _KERNEL_STD, shape))
        scales[name] = _grid_scale(generator.lognormal(-5, 0.15, shape[-1]))
        layer = name.removesuffix("/kernel")
        for variable, (mean, std) in {
            "gamma": (1, 0.1),
            "beta": (-0.1, 0.1),
            "moving_mean": (-0.5, 1),
        }.items():
            floats[f"{layer}.bn/{variable}"] = _float32(generator.normal(mean, std, shape[-1]))
        variance = generator.lognormal(0.9, 0.5, shape[-1])
        floats[f"{layer}.bn/moving_variance"] = _float32(variance)
        floats[f"{layer}/output_max"] = _float32(generator.uniform(3, 12))
    inputs = next(reversed(shapes.values()))[-1]
    head = _draw_head(inputs, num_classes=_BASE_CLASSES, generator=generator)
    return _with_head(kernels, scales, floats, head)


def _draw_sub(
    base: IntegerNetwork, generator: np.random.Generator, *, step: int, spread: float
) -> IntegerNetwork:
    """Moves the base's weights by whole steps, its floats by about a tenth."""
    kernels = {
        name: moved(kernel, generator, step=step, spread=spread)
        for name, kernel in body_kernels(base).items()
    }
    floats = {
        name: _float32(value * generator.lognormal(0, 0.1, value.shape))
        for name, value in base.floats.items()
        if not integer_network.is_head(name)
    }
    scales = {name: base.scales[name] for name in kernels}
    inputs = base.kernels[f"{integer_network.HEAD}/kernel"].shape[0]
    head = _draw_head(inputs, num_classes=_SUB_CLASSES, generator=generator)
    return _with_head(kernels, scales, floats, head)


def _draw_head(
    inputs: int, *, num_classes: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draws kernel, scale and bias."""
    kernel = _int8(generator.normal(0, _KERNEL_STD, (inputs, num_classes)))
    scale = _grid_scale(generator.lognormal(-5, 0.15))
    return kernel, scale, _float32(generator.normal(0, 0.05, num_classes))


def _with_head(kernels, scales, floats, head) -> IntegerNetwork:
    kernel, scale, bias = head
    name = f"{integer_network.HEAD}/kernel"
    return IntegerNetwork(
        kernels=kernels | {name: kernel},
        scales=scales | {name: scale},
        floats=floats | {f"{integer_network.HEAD}/bias": bias},
        metadata={"network": "synthetic"},
    )


def _int8(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), -127, 127).astype(np.int8)


def _float32(values: np.ndarray | float) -> np.ndarray:
    return np.asarray(values, np.float32)


def _grid_scale(values: np.ndarray | float) -> np.ndarray:
    """Rounds to 16 significant bits, so that kernel times scale is exact in float32."""
    mantissa, exponent = np.frexp(values)
    return _float32(np.ldexp(np.rint(np.ldexp(mantissa, 16)), exponent - 16))
