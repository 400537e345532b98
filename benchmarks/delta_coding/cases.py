"""Case: a delta to compress."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
from collections.abc import Mapping

import numpy as np

from ss_tf.deltas import bank, residual, sizes
from ss_tf.models import integer_network
from ss_tf.models.integer_network import IntegerNetwork
from ss_tf.training.run_dir import FLAT, SUPER, RunDir


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """A delta, and what it is the difference of.

    Attributes:
      name: of its superclass, or what was drawn.
      base: the network that the delta is relative to.
      sub: the network that base and delta give.
    """

    name: str
    base: IntegerNetwork
    sub: IntegerNetwork

    @functools.cached_property
    def base_kernels(self) -> dict[str, np.ndarray]:
        """The base's kernels, int8, but for the head's; sorted by name."""
        return body_kernels(self.base)

    @functools.cached_property
    def sub_kernels(self) -> dict[str, np.ndarray]:
        """The sub network's, in the same order."""
        return body_kernels(self.sub)

    @functools.cached_property
    def residuals(self) -> dict[str, np.ndarray]:
        """What is compressed: int8, in the same order."""
        return residual.compute_delta(self.base_kernels, self.sub_kernels)

    @functools.cached_property
    def base_floats(self) -> dict[str, np.ndarray]:
        """The base's kernels as float32, in the same order."""
        return _dequantized(self.base, self.base_kernels)

    @functools.cached_property
    def sub_floats(self) -> dict[str, np.ndarray]:
        """The sub network's."""
        return _dequantized(self.sub, self.sub_kernels)

    @property
    def weights(self) -> int:
        """Number of residuals, which is also their size in bytes."""
        return sum(values.size for values in self.residuals.values())

    def residual_entropy_bytes(self) -> float:
        """Returns the sum of the order-0 entropies of the residuals, tensor by tensor."""
        return sum(sizes.entropy_bytes(values) for values in self.residuals.values())

    def entropy_bytes(self) -> float:
        """Returns the same of all that an entry holds: also of the head, and floats as bytes."""
        own_scales = [
            scale
            for name, scale in self.sub.scales.items()
            if scale.tobytes() != self.base.scales[name].tobytes()
        ]
        head = self.sub.kernels[f"{integer_network.HEAD}/kernel"]
        return self.residual_entropy_bytes() + sum(
            sizes.entropy_bytes(np.frombuffer(tensor.tobytes(), np.int8))
            for tensor in (head, *own_scales, *self.sub.floats.values())
        )

    @functools.cached_property
    def kernels_alone(self) -> Case:
        """The case without floats, and with a head of a single zero."""
        head = f"{integer_network.HEAD}/kernel"
        base, sub = (
            IntegerNetwork(
                kernels | {head: np.zeros((1, 1), np.int8)},
                {name: network.scales[name] for name in kernels}
                | {head: np.float32(1).reshape(())},
                floats={},
                metadata={},
            )
            for network, kernels in ((self.base, self.base_kernels), (self.sub, self.sub_kernels))
        )
        return Case(name=self.name, base=base, sub=sub)

    def largest_kernel(self) -> Case:
        """Returns the case of that kernel alone, without a head."""
        name = max(self.base_kernels, key=lambda name: self.base_kernels[name].size)
        base, sub = (
            IntegerNetwork({name: network.kernels[name]}, {name: network.scales[name]}, {}, {})
            for network in (self.base, self.sub)
        )
        return Case(name=self.name, base=base, sub=sub)


def of_run(run_dir: pathlib.Path) -> list[Case]:
    """Reads the bank of a run.

    Raises:
      ValueError: if there is no bank, no base to it, or the reader refuses it.
    """
    run = RunDir(run_dir)
    names = bank.names(run.bank_dir)
    if not names:
        raise ValueError(f"{run.bank_dir} has no entries, expected the bank of a trained run.")
    digest = bank.load_entry(run.bank_dir, names[0]).base
    for path in (run.int8_file(SUPER), run.int8_file(FLAT)):
        base = integer_network.load(path) if path.is_file() else None
        if base is not None and integer_network.digest(base) == digest:
            return [
                Case(name=name, base=base, sub=bank.read_entry(run.bank_dir, name, base=base))
                for name in names
            ]
    raise ValueError(f"{run_dir} has no network {digest[:16]}, expected the base of its bank.")


def _dequantized(
    network: IntegerNetwork, kernels: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    return {name: kernel * network.scales[name] for name, kernel in kernels.items()}


def body_kernels(network: IntegerNetwork) -> dict[str, np.ndarray]:
    """Returns the kernels but for the head's, sorted by name."""
    kernels = sorted(network.kernels.items())
    return {name: kernel for name, kernel in kernels if not integer_network.is_head(name)}
