"""A process with one system, which does what lines of JSON on its standard input say.

It imports what a device has: numpy and LiteRT. `routing_systems.process.Worker` is the other end.
"""

from __future__ import annotations

import hashlib
import pathlib
import time
from collections.abc import Callable

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from routing_systems import answering, memory

from ss_tf.edge import patch
from ss_tf.edge.bundle import Bundle, delta_file
from ss_tf.edge.live_networks import LiveNetworks
from ss_tf.edge.network import Network

BUNDLE, ALL = "bundle", "all"


class _AllLive:
    """Every network in an interpreter of its own, from full .tflite files."""

    def __init__(self, bundle: Bundle, folder: pathlib.Path, *, num_threads: int):
        self._signature, self._runners = bundle.manifest.signature, {}
        for name in ("base", *bundle.manifest.subs):
            # By its path, as LiteRT then maps the file.
            path = str(folder / f"{name}.tflite")
            interpreter = Interpreter(model_path=path, num_threads=num_threads)
            interpreter.allocate_tensors()
            self._runners[name] = interpreter.get_signature_runner(self._signature)

    def logits(self, name: str, image: np.ndarray) -> np.ndarray:
        return self._runners[name](image=image)["logits"][0]


class _FromBundle:
    """The runtime, with the base and one sub network live."""

    def __init__(self, bundle: Bundle, *, num_threads: int):
        self._width = bundle.manifest.head_width
        self.live = LiveNetworks(bundle, num_threads=num_threads, cache_bytes=None)

    def network(self, name: str) -> Network:
        return self.live.base() if name == "base" else self.live.sub(name)

    def logits(self, name: str, image: np.ndarray) -> np.ndarray:
        return self.network(name).logits(image, width=self._width)[0]


class Commands:
    """What can be asked for, by name."""

    def __init__(self):
        """Notes how much memory the imports take, before anything is loaded."""
        self._imported = memory.resident_bytes()

    def load(self, *, kind: str, bundle: str, full_dir: str, num_threads: int) -> dict:
        """Loads a system; returns the names of superclasses, and seconds."""
        self._bundle, self._num_threads = Bundle(pathlib.Path(bundle)), num_threads
        about = self._bundle.manifest
        size = (1, about.image_size, about.image_size, about.channels)
        self._image = np.random.default_rng(0).standard_normal(size, np.float32)
        began = time.perf_counter()
        if kind == BUNDLE:
            self._system = _FromBundle(self._bundle, num_threads=num_threads)
        else:
            folder = pathlib.Path(full_dir)
            self._system = _AllLive(self._bundle, folder, num_threads=num_threads)
        return {"seconds": time.perf_counter() - began, "names": list(about.subs)}

    def memory(self) -> dict[str, int]:
        """Returns bytes: of the imports, the most since the process began, and what is held now."""
        return {
            "imports": self._imported,
            "peak": memory.peak_bytes(),
            "held": memory.resident_bytes(),
            "held_anonymous": memory.anonymous_bytes(),
        }

    def answer(self, *, names: list[str]) -> dict[str, list]:
        """Answers for images whose superclasses are `names`: the base runs, then the sub network.

        Returns:
          `seconds` of each answer, and the SHA-256 of the `logits` of both networks.
        """
        seconds, digests = [], []
        for name in names:
            began = time.perf_counter()
            base = self._system.logits("base", self._image)
            sub = self._system.logits(name, self._image)
            seconds.append(time.perf_counter() - began)
            digests.append(hashlib.sha256(base.tobytes() + sub.tobytes()).hexdigest())
        return {"seconds": seconds, "logits": digests}

    def switch(self, *, name: str, inferences: int) -> dict[str, object]:
        """Returns seconds of a switch to a sub network that is not live, and of inferences."""
        if name in self._system.live.loaded:
            raise ValueError(f"{name} is live already, expected another one.")
        switch, network = _timed(lambda: self._system.network(name))
        width = self._bundle.manifest.head_width
        # The first one warms up.
        run = [
            _timed(lambda: network.logits(self._image, width=width))[0]
            for _ in range(1 + inferences)
        ]
        return {"switch": switch, "inferences": run[1:]}

    def parts(self, *, name: str) -> dict[str, float]:
        """Returns the seconds of the parts of a switch, one after another."""
        base = self._system.live.base().content
        about, path = self._bundle.manifest, delta_file(self._bundle.path, name)
        found = {}
        found["read and check the delta"], delta = _timed(lambda: _read(path))
        digest, threads = bytes.fromhex(about.base.sha256), self._num_threads
        found["patch"], content = _timed(
            lambda: patch.apply_unchecked(base, delta, base_sha256=digest, num_threads=threads)
        )
        found["check the network"], _ = _timed(lambda: hashlib.sha256(content).digest())
        found["make the interpreter"], _ = _timed(
            lambda: Network(content, about, num_threads=threads)
        )
        return found


def _timed(function: Callable) -> tuple[float, object]:
    began = time.perf_counter()
    result = function()
    return time.perf_counter() - began, result


def _read(path: pathlib.Path) -> bytes:
    data = path.read_bytes()
    hashlib.sha256(data).digest()
    return data


if __name__ == "__main__":
    answering.serve(Commands())
