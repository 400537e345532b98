"""The peers: general compressors, and those made for arrays, networks or patches."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import types
from collections.abc import Callable

from delta_coding import coders
from delta_coding.coders import Coder

_BENCH_EXTRA = "pip install -e .[bench]"
# For coders that take half a minute or more to encode 11 M weights.
_MOST_WEIGHTS_IF_SLOW = 4_000_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class Peer:
    """A coder from a package that may not be there.

    Attributes:
      name: in the table.
      package: what to import, if anything.
      make: returns the coder, given the imported package.
      install: the command that installs it.
      most_weights: of a larger delta only the largest kernel is coded.
      is_float: it restores float32 kernels, kernel times scale, not int8.
      note: what the table says about it.
    """

    name: str
    package: str | None
    make: Callable[[types.ModuleType | None], Coder]
    install: str = _BENCH_EXTRA
    most_weights: int | None = None
    is_float: bool = False
    note: str = ""

    def load(self) -> Coder:
        """Returns the coder.

        Raises:
          ImportError: saying in a few words why there is none.
        """
        try:
            return self.make(self.package and importlib.import_module(self.package))
        except ModuleNotFoundError as error:
            raise ImportError(f"not installed ({self.install})") from error
        except (ImportError, OSError) as error:
            raise ImportError(f"cannot be imported ({error})") from error


def _zstandard(module: types.ModuleType, *, level: int) -> Coder:
    return coders.of_bytes(
        module.ZstdCompressor(level=level).compress, module.ZstdDecompressor().decompress
    )


def _whole_module(module: types.ModuleType) -> Coder:
    return coders.of_bytes(module.compress, module.decompress)


PEERS = (
    Peer(name="raw file", package=None, make=lambda _: coders.raw()),
    Peer(name="py7zr", package="py7zr", make=lambda _: coders.py7zr()),
    *(
        Peer(
            name=f"zstandard {level}",
            package="zstandard",
            make=functools.partial(_zstandard, level=level),
        )
        for level in (3, 19)
    ),
    Peer(name="brotli", package="brotli", make=_whole_module, most_weights=_MOST_WEIGHTS_IF_SLOW),
    Peer(name="bz2", package="bz2", make=_whole_module),
    Peer(name="pyppmd", package="pyppmd", make=coders.pyppmd),
    *(
        Peer(
            name=f"blosc2 {filter_name.lower()}",
            package="blosc2",
            make=functools.partial(coders.blosc2, filter_name=filter_name),
            note="zstd, level 9",
        )
        for filter_name in ("SHUFFLE", "BITSHUFFLE")
    ),
    Peer(
        name="bsdiff4",
        package="bsdiff4",
        make=coders.bsdiff4,
        most_weights=_MOST_WEIGHTS_IF_SLOW,
        note="int8 files",
    ),
    Peer(name="constriction", package="constriction", make=coders.constriction),
    Peer(
        name="zipnn",
        package="zipnn",
        make=coders.zipnn,
        # Not in the extra: it is compiled from source and brings torch.
        install="pip install zipnn",
        is_float=True,
        note="fp32 networks",
    ),
)
