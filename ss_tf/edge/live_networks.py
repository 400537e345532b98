"""LiveNetworks: the base and the sub networks that are ready to run, within a budget of bytes."""

from __future__ import annotations

import collections

from ss_tf.edge.bundle import Bundle
from ss_tf.edge.network import Network


class LiveNetworks:
    """Interpreters of a bundle; those of sub networks that were used last stay.

    A network is never patched while it is live: a switch makes the sub network's file of the
    base's, checks it, and gives it a new interpreter. Not for several threads at once.

    Attributes:
      bundle: the files.
    """

    def __init__(self, bundle: Bundle, *, num_threads: int, cache_bytes: int | None):
        """Makes the base's interpreter.

        Args:
          bundle: the files.
          num_threads: of interpreters, and of patching.
          cache_bytes: what the files of live sub networks may take together. None has room for
            one. Less than one takes keeps at most one network live, the base included.

        Raises:
          ValueError: naming the file, if the base is missing or damaged.
        """
        self.bundle = bundle
        self._num_threads = num_threads
        one = bundle.manifest.base.num_bytes
        self._room = (one if cache_bytes is None else cache_bytes) // one
        self._subs: collections.OrderedDict[str, Network] = collections.OrderedDict()
        self._base = self._network(bundle.base())

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
            self._base = self._network(self.bundle.base())
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
        # First, so that what is live is not lost to a delta that is damaged; as bytes alone.
        base = self._base.content if self._base else self.bundle.base()
        content = self.bundle.sub(superclass_name, base=base, num_threads=self._num_threads)
        while len(self._subs) >= max(self._room, 1):
            self._subs.popitem(last=False)
        if self._room == 0:
            self._base = None
        self._subs[superclass_name] = self._network(content)
        return self._subs[superclass_name]

    def _network(self, content: bytes) -> Network:
        return Network(content, self.bundle.manifest, num_threads=self._num_threads)
