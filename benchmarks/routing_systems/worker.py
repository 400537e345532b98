"""A process with one system, which does what lines of JSON on its standard input say.

It answers each with a line of JSON on standard output. `process.Worker` is the other end.
"""

from __future__ import annotations

import hashlib
import pathlib
import time

import numpy as np

from routing_systems import answering, memory, profile, runs, systems
from ss_tf.training.run_dir import RunDir


class Commands:
    """What can be asked for, by name."""

    def __init__(self):
        """Notes how much memory the imports take, before anything is loaded."""
        self._imported = memory.resident_bytes()

    def load(self, *, kind: str, run_dir: str, images: str) -> dict[str, object]:
        """Loads a system, and opens a file of images; returns bytes of weights, and seconds."""
        began = time.perf_counter()
        self._run = RunDir(pathlib.Path(run_dir))
        self._system = systems.load(kind, self._run)
        labels = self._run.superclass_map().superclass_of_label
        self._with_sub = np.flatnonzero(np.bincount(labels) > 1)
        self._images = np.load(images, mmap_mode="r")
        seconds = time.perf_counter() - began
        peak = self.memory()
        return {"seconds": seconds, "weight_bytes": self._system.weight_bytes(), **peak}

    def export(self, *, run_dir: str, images: str) -> dict[str, object]:
        """Writes the validation images of a run into a file, and returns what is true of them."""
        pixels, labels, superclass_map = runs.validation(RunDir(pathlib.Path(run_dir)))
        np.save(images, pixels)
        superclasses = np.array(superclass_map.superclass_of_label)[labels]
        return {"labels": labels.tolist(), "superclasses": superclasses.tolist()}

    def memory(self, *, reset: bool = False) -> dict[str, int]:
        """Returns bytes above those of the imports: now, and the most since the last reset."""
        found = {
            "resident": memory.resident_bytes() - self._imported,
            "peak": memory.peak_bytes() - self._imported,
        }
        if reset:
            memory.reset_peak()
        return found

    def classify(self, *, calls: list[dict], results: bool = False) -> dict[str, object]:
        """Classifies batches.

        Args:
          calls: of each batch `rows`, which images, and `superclasses`, or None to have the base
            decide.
          results: whether to return labels and scores.

        Returns:
          The seconds of each call, its labels, and the SHA-256 of the bytes of its scores.
        """
        seconds, found, digests = [], [], []
        for call in calls:
            images, superclasses = self._batch(call)
            began = time.perf_counter()
            labels, scores = self._system.classify(images, superclasses)
            seconds.append(time.perf_counter() - began)
            if results:
                found.append(labels.tolist())
                digests.append(hashlib.sha256(scores.numpy().tobytes()).hexdigest())
        return {"seconds": seconds} | ({"labels": found, "scores": digests} if results else {})

    def parts(self, *, call: dict, repetitions: int) -> dict[str, object]:
        """Returns where the time of a call goes; see `profile.parts`."""
        images, superclasses = self._batch(call)
        opened = np.intersect1d(superclasses, self._with_sub)
        return profile.parts(
            self._system, images, superclasses, opened=opened, repetitions=repetitions
        )

    def switch(self, *, repetitions: int) -> dict[str, object]:
        """Returns seconds of restoring a sub network, and of a forward pass over an image."""
        flat = systems.load_flat(self._run)
        images = np.array(self._images[:1])
        return profile.switch(
            self._system.networks, flat, images, opened=self._with_sub, repetitions=repetitions
        )

    def _batch(self, call: dict) -> tuple[np.ndarray, np.ndarray | None]:
        superclasses = call["superclasses"]
        given = None if superclasses is None else np.array(superclasses)
        return np.array(self._images[call["rows"]]), given


if __name__ == "__main__":
    answering.serve(Commands())
