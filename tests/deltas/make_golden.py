"""Made tests/deltas/golden: a base, a bank of version 1, and the networks that it should restore.

    python tests/deltas/make_golden.py FOLDER

The golden files stay as they are as long as version 1 is read: what is written here later may be
other bytes that mean the same. Together the two entries have every part of the format: residuals
that are all zero, plain and packed, escapes, levels, an own scale of a kernel, heads of two widths,
both streams, floats that keep two bytes and four, as they are and relative to the base.
"""

import pathlib
import sys

import numpy as np

from ss_tf.deltas import bank
from ss_tf.models import integer_network
from ss_tf.models.integer_network import IntegerNetwork

_SHAPES = {
    "conv1/kernel": (3, 3, 1, 8),
    "layer1.0.conv1/kernel": (3, 3, 8, 32),
    "layer1.0.conv2/kernel": (3, 3, 32, 4),
    "layer1.0.downsample.0/kernel": (1, 1, 8, 4),
    "fc/kernel": (4, 3),
}


def make_base():
    """Returns a network of three classes; its kernels reach both ends of the grid."""
    rng = np.random.default_rng(2201)
    kernels = {name: _noise(rng, shape) for name, shape in _SHAPES.items()}
    return IntegerNetwork(
        kernels=kernels,
        scales={
            # Whole numbers times a power of two, so at most 16 significant bits.
            name: (
                rng.integers(1 << 15, 1 << 16, shape[-1:] if len(shape) == 4 else ()) * 2.0**-22
            ).astype(np.float32)
            for name, shape in _SHAPES.items()
        },
        floats=_floats(rng, num_classes=3),
        metadata={"network": "super", "origin": "make_golden.py"},
    )


def make_cats(base):
    """Returns a sub network of 2 classes: one kernel far away, others near, one as it was."""
    rng = np.random.default_rng(8098)
    kernels = dict(base.kernels)
    kernels["conv1/kernel"] = _noise(rng, _SHAPES["conv1/kernel"])
    # Some of the channels move, by whole steps of 8, and are cut off where the grid ends.
    spread = np.where(rng.permutation(32) < 20, 0.5, 24.0)
    steps = np.rint(rng.laplace(size=_SHAPES["layer1.0.conv1/kernel"]) * spread / 8)
    kernels["layer1.0.conv1/kernel"] = _moved(base.kernels["layer1.0.conv1/kernel"], 8 * steps)
    small = rng.integers(-1, 2, _SHAPES["layer1.0.downsample.0/kernel"])
    kernels["layer1.0.downsample.0/kernel"] = _moved(
        base.kernels["layer1.0.downsample.0/kernel"], small
    )
    kernels["fc/kernel"] = _noise(rng, (4, 2))
    scales = dict(base.scales) | {"fc/kernel": np.array(40_001 * 2.0**-22, np.float32)}
    floats = _floats(rng, num_classes=2)
    # The next number after the base's, or the one before: only the last byte tells.
    further = rng.choice(np.array([-9, 9], np.float32), 32)
    floats["layer1.0.bn1/beta"] = np.nextafter(base.floats["layer1.0.bn1/beta"], further)
    return IntegerNetwork(
        kernels=kernels, scales=scales, floats=floats, metadata={"network": "sub/cats"}
    )


def make_trucks(base):
    """Returns a sub network of 120 classes, whose head repeats itself."""
    rng = np.random.default_rng(2022)
    kernels = dict(base.kernels)
    shape = _SHAPES["layer1.0.conv2/kernel"]
    ternary = rng.choice([-4, 0, 4], shape, p=[0.002, 0.993, 0.005])
    kernels["layer1.0.conv2/kernel"] = _moved(base.kernels["layer1.0.conv2/kernel"], ternary)
    kernels["fc/kernel"] = np.tile(_noise(rng, (4, 24)), 5)
    scales = dict(base.scales) | {
        "fc/kernel": np.array(50_001 * 2.0**-22, np.float32),
        "layer1.0.conv2/kernel": base.scales["layer1.0.conv2/kernel"] * np.float32(2),
    }
    return IntegerNetwork(
        kernels=kernels,
        scales=scales,
        floats=_floats(rng, num_classes=120),
        metadata={"network": "sub/trucks", "subclasses": "ねこ"},
    )


def _floats(rng, *, num_classes):
    shapes = {
        "fc/bias": (num_classes,),
        "fc/output_max": (),
        "layer1.0.bn1/beta": (32,),
        "layer1.0.bn1/gamma": (32,),
    }
    floats = {
        name: np.asarray(rng.normal(size=shape), np.float32) for name, shape in shapes.items()
    }
    # bfloat16: the two last bytes of every number are zero.
    gamma = floats["layer1.0.bn1/gamma"].view(np.uint32) & np.uint32(0xFFFF0000)
    return floats | {"layer1.0.bn1/gamma": gamma.view(np.float32)}


def _noise(rng, shape):
    return np.clip(np.rint(rng.normal(size=shape) * 60), -127, 127).astype(np.int8)


def _moved(kernel, steps):
    return np.clip(kernel + steps, -127, 127).astype(np.int8)


def main(folder):
    """Writes base.safetensors, bank/ and, beside them, the networks that the bank restores."""
    base = make_base()
    integer_network.save(base, folder / "base.safetensors")
    for name, sub in (("cats", make_cats(base)), ("trucks", make_trucks(base))):
        integer_network.save(sub, folder / f"{name}.safetensors")
        bank.write_entry(folder / "bank", name, base=base, sub=sub)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
