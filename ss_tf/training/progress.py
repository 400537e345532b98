"""Progress of a phase, on one line for people."""

from __future__ import annotations

import math
import sys

import tqdm

from ss_tf.config import FitConfig

# A terminal is redrawn often; a log file gets a line every ten seconds.
_REFRESH_SECONDS = 0.5 if sys.stderr.isatty() else 10.0


class Progress:
    """A bar that counts the images of a phase; a context, which closes it."""

    def __init__(
        self, title: str, config: FitConfig, *, num_steps: int, done_steps: int, is_shown: bool
    ):
        """Shows what is done of `num_steps`, if anything is to be shown at all."""
        self._title, self._config = title, config
        self._bar = tqdm.tqdm(
            desc=title,
            total=num_steps * config.batch_size,
            initial=done_steps * config.batch_size,
            unit=" images",
            mininterval=_REFRESH_SECONDS,
            dynamic_ncols=True,
            disable=not is_shown,
        )

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_) -> None:
        self._bar.close()

    def advance(self) -> bool:
        """Counts a step; returns whether the line was drawn anew, so that its numbers are old."""
        return bool(self._bar.update(self._config.batch_size))

    def show(self, *, epoch: int, loss: float, top1: float) -> None:
        """Puts an epoch's mean loss and share of right decisions, so far, on the line.

        Raises:
          ValueError: if the loss stopped being finite.
        """
        if not math.isfinite(loss):
            raise ValueError(
                f"{self._title}: the loss is {loss} in epoch {epoch + 1}, expected a finite "
                f"number. Lower the learning rate ({self._config.learning_rate} at its peak)."
            )
        self._bar.set_postfix_str(
            f"epoch {epoch + 1}/{self._config.epochs}, loss {loss:.3f}, top-1 {100 * top1:.1f} %",
            refresh=False,
        )
