"""Which images and superclasses a call is for: mixes of superclasses, the same for all systems."""

from __future__ import annotations

import dataclasses

import numpy as np

EVEN, SHARES = "even", "shares"
MIXES = (EVEN, SHARES)
_SEED = 0


@dataclasses.dataclass(frozen=True, eq=False)
class Drawn:
    """Random images, whose superclasses the base is told.

    Of the mix "shares", superclass k has 1 / (k + 1) of the first one's share.

    Attributes:
      num_images: in the file.
      superclasses: how many there are.
    """

    num_images: int
    superclasses: int

    def calls(self, mix: str, *, batch: int, count: int, turn: int = 0) -> list[dict]:
        """Returns what `worker.Commands.classify` takes."""
        generator = np.random.default_rng([_SEED, batch, turn])
        weights = 1 / np.arange(1, 1 + self.superclasses)
        drawn = generator.choice(self.superclasses, (count, batch), p=weights / weights.sum())
        if mix == EVEN:
            drawn = _even(self.superclasses, batch=batch, count=count, turn=turn)
        rows = np.arange(count * batch).reshape(count, batch) % self.num_images
        pairs = zip(rows.tolist(), drawn.tolist(), strict=True)
        return [{"rows": row, "superclasses": given} for row, given in pairs]

    def told_call(self, batch: int) -> dict:
        """Returns a call of an even mix whose superclasses are given."""
        return self.calls(EVEN, batch=batch, count=1)[0]

    def all_calls(self, batch: int) -> list[dict]:
        """Returns calls for all images, of an even mix."""
        return self.calls(EVEN, batch=batch, count=-(-self.num_images // batch))


@dataclasses.dataclass(frozen=True, eq=False)
class Real:
    """Images of a run, which its base routes.

    Attributes:
      superclass_of_image: int64 `[n]`, true superclass of each image in the file.
    """

    superclass_of_image: np.ndarray

    @property
    def num_images(self) -> int:
        """How many there are in the file."""
        return len(self.superclass_of_image)

    def calls(self, mix: str, *, batch: int, count: int, turn: int = 0) -> list[dict]:
        """Returns what `worker.Commands.classify` takes."""
        generator = np.random.default_rng([_SEED, batch, turn])
        rows = generator.integers(len(self.superclass_of_image), size=(count, batch))
        if mix == EVEN:
            of = [
                np.flatnonzero(self.superclass_of_image == superclass)
                for superclass in range(self.superclass_of_image.max() + 1)
            ]
            wanted = _even(len(of), batch=batch, count=count, turn=turn)
            rows = np.array([[generator.choice(of[s]) for s in row] for row in wanted])
        return [{"rows": row.tolist(), "superclasses": None} for row in rows]

    def told_call(self, batch: int) -> dict:
        """Returns a call of an even mix whose superclasses are given: the true ones."""
        (call,) = self.calls(EVEN, batch=batch, count=1)
        return call | {"superclasses": self.superclass_of_image[call["rows"]].tolist()}

    def all_calls(self, batch: int) -> list[dict]:
        """Returns calls for all images, each once."""
        rows = np.arange(len(self.superclass_of_image))
        starts = range(0, len(rows), batch)
        return [{"rows": rows[s : s + batch].tolist(), "superclasses": None} for s in starts]


def _even(superclasses: int, *, batch: int, count: int, turn: int) -> np.ndarray:
    """Returns `[count, batch]`: superclasses one after the other, on and on."""
    first = turn * count * batch
    return (first + np.arange(count * batch)).reshape(count, batch) % superclasses
