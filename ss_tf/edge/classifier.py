"""EdgeClassifier: two-stage inference from a bundle, with few networks live at a time."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import threading
from collections.abc import Iterable

import numpy as np

from ss_tf.edge import images as edge_images
from ss_tf.edge.bundle import Bundle
from ss_tf.edge.live_networks import LiveNetworks
from ss_tf.edge.manifest import Manifest
from ss_tf.edge.network import ACCELERATORS, CPU
from ss_tf.routing import decisions
from ss_tf.routing.probabilities import softmax, superclass_probabilities
from ss_tf.routing.sub_logits import SubLogits

# LiteRT crashes where the system has no more threads to give.
_MOST_THREADS = 1024


@dataclasses.dataclass(frozen=True)
class Answer:
    """What an image shows.

    Attributes:
      label: its index, or -1 where the routing policy abstains.
      label_name: "" then.
      superclass: index of the label's superclass, or of the most probable one.
      superclass_name: its name.
      probability: of superclass and subclass together; of the superclass where there is no label.
      superclass_probability: of the superclass.
      opened: names of the superclasses whose sub networks were asked.
    """

    label: int
    label_name: str
    superclass: int
    superclass_name: str
    probability: float
    superclass_probability: float
    opened: tuple[str, ...]


class EdgeClassifier:
    """Classifies images with the networks of a bundle.

    Any number of threads may call it: a lock lets one in at a time, as networks share interpreters
    and a budget of memory. More threads inside one call: `num_threads`.

    If a sub network cannot be made, since its delta is missing or damaged, a call raises
    ValueError and changes nothing: the next one for another superclass is answered, and
    `classify_superclass` always is.
    """

    def __init__(
        self,
        bundle_dir: str | os.PathLike,
        *,
        num_threads: int = 1,
        accelerator: str = CPU,
        cache_bytes: int | None = None,
    ):
        """Reads the manifest and makes the base's interpreter.

        Args:
          bundle_dir: folder that `export.py --format=tflite` made.
          num_threads: of each interpreter, and of making sub networks; 1 to 1024.
          accelerator: what networks run on: "cpu"; "gpu", which is an error where there is none;
            or "gpu_or_cpu", which then is the CPU, and logs a warning that says why.
            `EdgeClassifier.accelerator` tells which it is.
          cache_bytes: what the .tflite files of live sub networks may take together, next to the
            base's; the sub networks that were used last stay. None has room for one. 0 keeps one
            network live at a time, the base included, which is made anew after every sub network.

        Raises:
          ValueError: if the bundle is damaged or of a newer version, or an argument is none of
            those told; NoGpuError, which is one, if there is no GPU and has to be.
        """
        if accelerator not in ACCELERATORS:
            raise ValueError(
                f"accelerator is {accelerator!r}, expected {' or '.join(ACCELERATORS)}."
            )
        if type(num_threads) is not int or not 1 <= num_threads <= _MOST_THREADS:
            raise ValueError(f"num_threads is {num_threads!r}, expected 1 to {_MOST_THREADS}.")
        if cache_bytes is not None and not (type(cache_bytes) is int and cache_bytes >= 0):
            raise ValueError(f"cache_bytes is {cache_bytes!r}, expected None or 0 or more.")
        self._lock = threading.Lock()
        bundle = Bundle(pathlib.Path(bundle_dir))
        self._networks = LiveNetworks(
            bundle, num_threads=num_threads, cache_bytes=cache_bytes, accelerator=accelerator
        )

    @property
    def manifest(self) -> Manifest:
        """What the bundle says of itself."""
        return self._networks.bundle.manifest

    @property
    def accelerator(self) -> str:
        """What the networks run on, "cpu" or "gpu"."""
        return self._networks.accelerator

    @property
    def loaded(self) -> tuple[str, ...]:
        """Names of the superclasses whose sub network is live, the one used last at the end."""
        with self._lock:
            return self._networks.loaded

    def classify(self, image: np.ndarray) -> Answer:
        """Classifies one image; else as `classify_many`."""
        return self.classify_many([image])[0]

    def classify_many(self, images: Iterable[np.ndarray]) -> list[Answer]:
        """Classifies images; each sub network is made once at most, for all that open it.

        Args:
          images: uint8 `[height, width, channels]`, of any size each; the centre square is shown,
            as in evaluation. One array of them, or a generator, will do: one image is held at a
            time, and of all only what the networks see.

        Returns:
          One answer per image, in their order.

        Raises:
          ValueError: if an image is of another kind, or a sub network cannot be made; the message
            says why.
        """
        routed = self.route(edge_images.to_inputs(images, self.manifest))
        return [self._answer(routed, row) for row in range(len(routed.label))]

    def classify_superclass(self, images: Iterable[np.ndarray]) -> list[tuple[str, float]]:
        """Returns the most probable superclass of each image, and its probability.

        Only the base is asked, so that the answer does not depend on any delta.
        """
        inputs = edge_images.to_inputs(images, self.manifest)
        with self._lock:
            probabilities = self._superclass_probabilities(self._base_logits(inputs))
        names = self.manifest.superclass_map.superclass_names
        return [(names[row.argmax()], float(row.max())) for row in probabilities]

    def route(self, inputs: np.ndarray) -> decisions.Routed:
        """Decides for normalised images.

        Args:
          inputs: float32 `[n, size, size, channels]`, as the networks see them.

        Raises:
          ValueError: if these are of another shape or type, or a sub network cannot be made; the
            message says why.
        """
        manifest = self.manifest
        edge_images.check_inputs(inputs, manifest)
        with self._lock:
            base_logits = self._base_logits(inputs)
            base = softmax(base_logits) if manifest.base_kind == "flat" else None
            is_open = decisions.opened(
                self._superclass_probabilities(base_logits),
                manifest.policy,
                base_label_probabilities=base,
            )
            sub_logits = self._sub_logits(inputs, is_open)
        return decisions.decide(
            base_logits,
            sub_logits,
            manifest.superclass_map,
            base_kind=manifest.base_kind,
            policy=manifest.policy,
        )

    def _base_logits(self, inputs: np.ndarray) -> np.ndarray:
        return self._networks.base().logits(inputs, width=self.manifest.base_width)

    def _superclass_probabilities(self, base_logits: np.ndarray) -> np.ndarray:
        labels_map, kind = self.manifest.superclass_map, self.manifest.base_kind
        return superclass_probabilities(base_logits, labels_map, base_kind=kind)

    def _sub_logits(self, inputs: np.ndarray, is_open: np.ndarray) -> dict[int, SubLogits]:
        """Runs the sub networks of all superclasses that are open, those that are live first."""
        labels_map = self.manifest.superclass_map
        names = labels_map.superclass_names
        wanted = [
            superclass
            for superclass in np.flatnonzero(is_open.any(axis=0)).tolist()
            if names[superclass] in self.manifest.subs
        ]
        loaded = self._networks.loaded
        wanted.sort(key=lambda superclass: names[superclass] not in loaded)
        found = {}
        for superclass in wanted:
            rows = np.flatnonzero(is_open[:, superclass])
            network = self._networks.sub(names[superclass])
            width = len(labels_map.labels_in(superclass))
            found[superclass] = SubLogits(rows, network.logits(inputs[rows], width=width))
            del network  # Or it would live on while the next one is made.
        return found

    def _answer(self, routed: decisions.Routed, row: int) -> Answer:
        labels_map = self.manifest.superclass_map
        label, superclass = int(routed.label[row]), int(routed.superclass[row])
        of_superclass = float(routed.superclass_probability[row])
        given = float(routed.subclass_probability[row]) if label >= 0 else 1.0
        opened = np.flatnonzero(routed.opened[row]).tolist()
        return Answer(
            label=label,
            label_name=labels_map.label_names[label] if label >= 0 else "",
            superclass=superclass,
            superclass_name=labels_map.superclass_names[superclass],
            probability=of_superclass * given,
            superclass_probability=of_superclass,
            opened=tuple(labels_map.superclass_names[index] for index in opened),
        )
