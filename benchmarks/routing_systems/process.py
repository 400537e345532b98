"""Worker: a process that holds one system, seen from outside."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

_BENCHMARKS = pathlib.Path(__file__).parents[1]


class Worker:
    """A process of `worker`. Close it, or use it in a with statement."""

    def __init__(self, module: str = "routing_systems.worker"):
        """Starts the process of a module; its imports go on while others start."""
        path = os.pathsep.join(
            [str(_BENCHMARKS.parent), str(_BENCHMARKS), os.environ.get("PYTHONPATH", "")]
        )
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ, "PYTHONPATH": path},
        )
        self._is_ready = False

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()

    def wait_ready(self) -> None:
        """Waits for its imports."""
        if not self._is_ready:
            self._is_ready = self._answer()["ready"]

    def ask(self, do: str, **arguments: object) -> dict:
        """Has a method of the module's `Commands` called; returns its answer.

        Raises:
          RuntimeError: if the process ends instead.
        """
        self.wait_ready()
        self._process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict:
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(
                f"A process of the benchmark ended with {self._process.wait()}; what it printed "
                "above says why."
            )
        return json.loads(line)
