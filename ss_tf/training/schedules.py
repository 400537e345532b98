"""Learning rate as a pure function of the step."""

from __future__ import annotations

import math


def warmup_cosine(step: int, *, peak: float, warmup_steps: float, total_steps: int) -> float:
    """Returns the learning rate of a step: linear warm-up to `peak`, then half a cosine to zero.

    Step 0 of a warm-up already learns (rate `peak / warmup_steps`), and the last step still does:
    no step of a short run is wasted on a rate of zero.

    Args:
      step: 0..total_steps-1.
      peak: highest rate.
      warmup_steps: length of the warm-up, at most `total_steps`.
      total_steps: steps of the whole phase.

    Source of the cosine: SGDR, https://arxiv.org/abs/1608.03983, equation 5, without restarts.
    """
    if step < warmup_steps:
        return peak * (step + 1) / max(warmup_steps, step + 1)
    progress = (step - warmup_steps) / max(total_steps - warmup_steps, 1)
    return peak * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
