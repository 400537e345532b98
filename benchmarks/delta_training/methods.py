"""The rows of `delta_accuracy.py`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from ss_tf.config import FREE_BITS, DeltaConfig
from ss_tf.models import integer_network

Weights = Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Method:
    """A way to make sub networks.

    Attributes:
      delta: settings of their training.
      title: tells methods of the same settings apart.
      step: one step of the largest kernel for all sub networks, instead of what their bits allow.
      project: (base, sub network) -> what the float sub network is replaced by, and the bytes of
        its kernels; None where training decides both.
    """

    delta: DeltaConfig
    title: str = "trained"
    step: int | None = None
    project: Callable[[Weights, Weights], tuple[dict[str, np.ndarray], int]] | None = None

    @property
    def is_choice(self) -> bool:
        """Whether it may become a default: flags give it, and it shares no layers with the base."""
        return self.project is None and self.step is None and self.delta.freeze_through is None


def low_rank(rank: int, base: Weights, sub: Weights) -> tuple[dict[str, np.ndarray], int]:
    """Keeps the largest singular vectors of each kernel's difference, as factors in fp16."""
    projected, num_bytes = dict(sub), 0
    for name in _body_kernels(base):
        difference = (sub[name] - base[name]).reshape(-1, base[name].shape[-1])
        left, values, right = np.linalg.svd(difference, full_matrices=False)
        kept = min(rank, len(values))
        left = (left[:, :kept] * np.sqrt(values[:kept])).astype(np.float16)
        right = (np.sqrt(values[:kept])[:, np.newaxis] * right[:kept]).astype(np.float16)
        product = left.astype(np.float32) @ right.astype(np.float32)
        projected[name] = base[name] + product.reshape(base[name].shape)
        num_bytes += min(left.nbytes + right.nbytes, difference.size)
    return projected, num_bytes


def sign_and_scale(base: Weights, sub: Weights) -> tuple[dict[str, np.ndarray], int]:
    """Keeps the sign of each difference, and per filter the mean of their sizes."""
    projected, num_bytes = dict(sub), 0
    for name in _body_kernels(base):
        difference = sub[name] - base[name]
        scale = np.abs(difference).mean((0, 1, 2))
        projected[name] = base[name] + np.where(difference < 0, -scale, scale)
        num_bytes += -(-difference.size // 8) + scale.nbytes
    return projected, num_bytes


def _body_kernels(base: Weights) -> list[str]:
    return [
        name
        for name in sorted(base)
        if name.endswith("/kernel") and not integer_network.is_head(name)
    ]


def _delta(
    bits: float = FREE_BITS, penalty: float = 0.0, freeze_through: str | None = None
) -> DeltaConfig:
    return DeltaConfig(bits=bits, penalty=penalty, freeze_through=freeze_through)


def _one_step(step: int) -> Method:
    return Method(delta=_delta(1.0), title=f"step_{step}", step=step)


def _rank(rank: int) -> Method:
    return Method(
        delta=_delta(),
        title=f"low_rank_{rank}",
        project=lambda base, sub: low_rank(rank, base, sub),
    )


METHODS = {
    "free": Method(delta=_delta()),
    **{
        f"{bits} bits": Method(delta=_delta(bits))
        for bits in (3.0, 2.0, 1.5, 1.2, 1.0, 0.9, 0.8, 0.75, 0.7, 0.6, 0.5, 0.4, 0.3)
    },
    **{f"step {step}": _one_step(step) for step in (2, 4, 5, 6, 8, 12, 16, 24)},
    **{f"penalty {value}": Method(delta=_delta(penalty=value)) for value in (2, 10, 50)},
    **{f"1.0 bits, penalty {value}": Method(delta=_delta(1.0, value)) for value in (2, 10)},
    "norm and head": Method(delta=_delta(penalty=1e9)),
    **{
        f"1.0 bits, {stage}": Method(delta=_delta(1.0, 0.0, stage))
        for stage in ("layer1", "layer2", "layer3")
    },
    **{f"low rank {rank}": _rank(rank) for rank in (1, 4, 16)},
    "sign and scale": Method(delta=_delta(), title="sign_and_scale", project=sign_and_scale),
}
