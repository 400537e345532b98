"""LiveNetworks: the base and the sub networks that are ready to run, within a budget of bytes."""

from __future__ import annotations

import collections
import concurrent.futures
import logging
import pathlib
import threading

from ss_tf.edge.bundle import Bundle, Delta
from ss_tf.edge.network import CPU, GPU, GPU_OR_CPU, Network, NoGpuError

_LOG = logging.getLogger(__name__)


class LiveNetworks:
    """Interpreters of a bundle; those of sub networks that were used last stay.

    A network is never patched while it is live: a switch makes the sub network's file of the
    base's, checks it, and gives it a new interpreter. Not for several threads at once.

    Attributes:
      bundle: the files.
      accelerator: what the networks run on, "cpu" or "gpu".
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        num_threads: int,
        cache_bytes: int | None,
        accelerator: str = CPU,
    ):
        """Makes the base's interpreter.

        Args:
          bundle: the files.
          num_threads: of interpreters, and of patching.
          cache_bytes: what the files of live sub networks may take together. None has room for
            one. Less than one takes keeps at most one network live, the base included.
          accelerator: one of `network.ACCELERATORS`; "gpu_or_cpu" is the CPU for all networks if
            the base cannot run on a GPU, and a warning is logged that says why.

        Raises:
          NoGpuError: if the base has to run on a GPU and cannot.
          ValueError: naming the file, if the base is missing or damaged.
        """
        self.bundle = bundle
        self._num_threads = num_threads
        one = bundle.manifest.base.num_bytes
        self._room = (one if cache_bytes is None else cache_bytes) // one
        self._subs: collections.OrderedDict[str, Network] = collections.OrderedDict()
        self.accelerator = GPU if accelerator == GPU_OR_CPU else accelerator
        content = bundle.base()
        try:
            self._base = self._network(content, bundle.base_file)
        except NoGpuError as error:
            if accelerator != GPU_OR_CPU:
                raise
            _LOG.warning("The CPU takes the GPU's place: %s", error)
            self.accelerator = CPU
            self._base = self._network(content, bundle.base_file)

    @property
    def loaded(self) -> tuple[str, ...]:
        """Names of the superclasses whose sub network is live, the one used last at the end."""
        return tuple(self._subs)

    def base(self) -> Network:
        """Returns the base, which is made anew where it had to make room.

        Raises:
          ValueError: naming the file, if the base is missing or damaged by now.
        """
        if self._base is None:
            self._subs.clear()
            self._base = self._network(self.bundle.base(), self.bundle.base_file)
        return self._base

    def sub(self, superclass_name: str) -> Network:
        """Returns a sub network; others, and without any room the base, make room for it.

        Raises:
          ValueError: naming the file, if its delta is missing, damaged or of another bundle. What
            was live before and had not to make room still is.
        """
        if superclass_name in self._subs:
            self._subs.move_to_end(superclass_name)
            return self._subs[superclass_name]
        # First, so that what is live is not lost to a delta that is damaged.
        delta = self.bundle.delta(superclass_name)
        base = self._base.content if self._base else self.bundle.base()
        # Then, as what is freed is about what making a network takes.
        while len(self._subs) >= max(self._room, 1):
            self._subs.popitem(last=False)
        if self._room == 0:
            self._base = None
        content = delta.restore(base, num_threads=self._num_threads)
        self._subs[superclass_name] = self._checked(content, delta)
        return self._subs[superclass_name]

    def _checked(self, content: bytes, delta: Delta) -> Network:
        """Makes a network while another thread checks it, and returns it if that went well."""
        is_checking = threading.Event()

        def check():
            is_checking.set()
            delta.check(content)

        with concurrent.futures.ThreadPoolExecutor(1) as beside:
            checked = beside.submit(check)
            # LiteRT lets no thread of Python begin while it makes a network.
            is_checking.wait()
            try:
                return self._network(content, delta.path)
            finally:
                # Of what is damaged, this says more than LiteRT.
                checked.result()

    def _network(self, content: bytes, path: pathlib.Path) -> Network:
        """Makes a network of what a file gave, which errors name."""
        try:
            return Network(
                content,
                self.bundle.manifest,
                num_threads=self._num_threads,
                accelerator=self.accelerator,
            )
        except NoGpuError:
            raise  # Not the file's fault.
        except ValueError as error:
            raise ValueError(f"{path} cannot be used: {error}") from error
