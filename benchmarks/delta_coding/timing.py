"""Times coders on a delta in turns, and checks what they restore."""

from __future__ import annotations

import dataclasses
import pathlib
import statistics
import tempfile
import time
from collections.abc import Iterator

import tqdm
from delta_coding import coders, peers
from delta_coding.cases import Case
from delta_coding.coders import Coder

OURS, BANK_FILE, _REFERENCE = "ours", "bank file", "py7zr"
# A coder whose turns took this long together is not timed again.
_MOST_SECONDS = 5.0


@dataclasses.dataclass(kw_only=True)
class Contestant:
    """A coder with what it codes, and what was measured of it.

    Attributes:
      name: in the table.
      coder: what is measured.
      case: what it codes.
      limit_bytes: order-0 entropy of that, tensor by tensor.
      is_float: it restores float32 kernels.
      note: what the table says about it.
      stored: what it made of the case.
      encode_s: seconds that took.
      decode_s: seconds to decode it, of each turn.
      failure: why it is out, if it is.
    """

    name: str
    coder: Coder
    case: Case
    limit_bytes: float
    is_float: bool = False
    note: str = ""
    stored: bytes = b""
    encode_s: float = 0.0
    decode_s: list[float] = dataclasses.field(default_factory=list)
    failure: str = ""

    def encode(self) -> None:
        """Encodes, and checks what comes back.

        Raises:
          ValueError: naming the first kernel that is not the sub network's.
        """
        began = time.perf_counter()
        self.stored = self.coder.encode(self.case)
        self.encode_s = time.perf_counter() - began
        restored = self.coder.decode(self.stored, self.case)
        expected = self.case.sub_floats if self.is_float else self.case.sub_kernels
        for name, kernel in expected.items():
            if restored[name].dtype != kernel.dtype or restored[name].tobytes() != kernel.tobytes():
                raise ValueError(f"{self.name} does not restore {name!r} of {self.case.name!r}.")

    def decode(self) -> None:
        """Decodes once more, unless that has taken long enough or it is out."""
        if not self.failure and sum(self.decode_s) < _MOST_SECONDS:
            began = time.perf_counter()
            self.coder.decode(self.stored, self.case)
            self.decode_s.append(time.perf_counter() - began)

    def row(self, reference: Contestant) -> dict[str, object]:
        """Returns what is reported, of speeds those relative to another one."""
        if self.failure:
            return {"coder": self.name, "note": self.failure}
        weights, others = self.case.weights, reference.case.weights
        # A coder that was stopped early has fewer turns.
        speeds = [
            (theirs / others) / (ours / weights)
            for theirs, ours in zip(reference.decode_s, self.decode_s, strict=False)
        ]
        return {
            "coder": self.name,
            "weights": weights,
            "bytes": len(self.stored),
            "ratio_to_int8": len(self.stored) / weights,
            "ratio_to_entropy": len(self.stored) / self.limit_bytes,
            "encode_s": self.encode_s,
            "decode_s": statistics.median(self.decode_s),
            "decode_speed_over_py7zr": statistics.median(speeds),
            "note": self.note,
        }


def _contestants(case: Case, bank_dir: pathlib.Path) -> Iterator[Contestant | dict]:
    """Yields who takes part, and of whom that cannot, the row that says why."""
    whole = {"case": case, "limit_bytes": case.residual_entropy_bytes()}
    yield Contestant(name=OURS, coder=coders.ours(bank_dir / "kernels"), **whole)
    yield Contestant(
        name=BANK_FILE,
        coder=coders.bank_file(bank_dir / "bank"),
        case=case,
        limit_bytes=case.entropy_bytes(),
        note="with head, floats, headers, checks",
    )
    for peer in peers.PEERS:
        try:
            coder = peer.load()
        except ImportError as error:
            yield {"coder": peer.name, "note": str(error)}
            continue
        part, note = whole, peer.note
        if peer.most_weights is not None and case.weights > peer.most_weights:
            largest = case.largest_kernel()
            part = {"case": largest, "limit_bytes": largest.residual_entropy_bytes()}
            note = f"{note}; " * bool(note) + "largest kernel only"
        yield Contestant(name=peer.name, coder=coder, is_float=peer.is_float, note=note, **part)


def measure(case: Case, *, turns: int) -> list[dict[str, object]]:
    """Runs all coders on one delta; returns a row of the table for each.

    Raises:
      ValueError: if one of ours, or py7zr, does not restore the sub network's kernels. Of another
        coder, its row says so.
    """
    with tempfile.TemporaryDirectory() as bank_dir:
        entrants = list(_contestants(case, pathlib.Path(bank_dir)))
        running = [entrant for entrant in entrants if isinstance(entrant, Contestant)]
        progress = tqdm.tqdm(running, desc=f"{case.name}: encoding")
        for contestant in progress:
            progress.set_postfix_str(contestant.name)
            try:
                contestant.encode()
            except ValueError as error:
                if contestant.name in (OURS, BANK_FILE, _REFERENCE):
                    raise
                contestant.failure = f"fails: {error}"
        for turn in tqdm.trange(turns, desc=f"{case.name}: decoding"):
            for contestant in running if turn % 2 == 0 else reversed(running):
                contestant.decode()
    (reference,) = (contestant for contestant in running if contestant.name == _REFERENCE)
    return [
        entrant.row(reference) if isinstance(entrant, Contestant) else entrant
        for entrant in entrants
    ]
