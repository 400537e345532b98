"""Measures the runtime of bundles, and interpreters that are all kept, each in its own process."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import statistics
from collections.abc import Iterator, Mapping, Sequence

import tqdm
from routing_systems.process import Worker

from edge_systems.worker import ALL, BUNDLE

THREADS = 2
_WORKER = "edge_systems.worker"


@dataclasses.dataclass(frozen=True)
class Effort:
    """How much is measured.

    Attributes:
      rounds: times that each superclass has its turn.
      inferences: beside each switch.
    """

    rounds: int = 5
    inferences: int = 5


@contextlib.contextmanager
def _loaded(
    kind: str, bundle: pathlib.Path, full_dir: pathlib.Path, *, num_threads: int = THREADS
) -> Iterator[Worker]:
    with Worker(_WORKER) as worker:
        paths = {"bundle": str(bundle), "full_dir": str(full_dir)}
        worker.ask("load", kind=kind, **paths, num_threads=num_threads)
        yield worker


def memory(bundle: pathlib.Path, full_dir: pathlib.Path, names: Sequence[str]) -> dict[str, object]:
    """Has both systems answer for every superclass, twice, and returns what memory that took.

    Returns:
      `peak_rss_ratio`, of the most that was in memory above what imports take, `with_imports`, of
      all, and `of_held_anonymous`, of what is no file and is held afterwards; the bytes `of` each
      system; and whether both give the same logits, bit by bit.
    """
    found, logits = {}, {}
    for kind in (BUNDLE, ALL):
        with _loaded(kind, bundle, full_dir) as worker:
            logits[kind] = worker.ask("answer", names=[*names, *names])["logits"]
            found[kind] = worker.ask("memory")
    ours, theirs = found[BUNDLE], found[ALL]
    return {
        "peak_rss_ratio": _above(ours, "peak") / _above(theirs, "peak"),
        "with_imports": ours["peak"] / theirs["peak"],
        "of_held_anonymous": ours["held_anonymous"] / theirs["held_anonymous"],
        "of": found,
        "identical_logits": logits[BUNDLE] == logits[ALL],
    }


def _above(found: Mapping[str, int], what: str) -> int:
    return found[what] - found["imports"]


def speed(
    bundle: pathlib.Path,
    full_dir: pathlib.Path,
    names: Sequence[str],
    *,
    effort: Effort,
    num_threads: int = THREADS,
) -> dict[str, object]:
    """Times switches beside inferences, and answers; medians, ratios turn by turn.

    Returns:
      `switch_over_inference`; `switch_ms` and `inference_ms`; `first_answer_ms`, of an image whose
      sub network is not live, and `loaded_answer_ms`, of one whose is, both with the base's
      inference; and `parts_ms` of a switch, each alone, with as many threads.
    """
    seconds = {key: [] for key in ("switch", "inference", "first_answer", "loaded_answer")}
    parts, ratios = [], []
    with _loaded(BUNDLE, bundle, full_dir, num_threads=num_threads) as worker:
        worker.ask("answer", names=list(names))
        turns = [name for _ in range(effort.rounds) for name in names]
        for turn, name in enumerate(tqdm.tqdm(turns, desc="Timing")):
            took = worker.ask("switch", name=name, inferences=effort.inferences)
            inference = statistics.median(took["inferences"])
            ratios.append(took["switch"] / inference)
            seconds["switch"].append(took["switch"])
            seconds["inference"].append(inference)
            # Another one has to be live before this one can have a first answer.
            other = names[(turn + 1) % len(names)]
            first, loaded = worker.ask("answer", names=[other, other])["seconds"]
            seconds["first_answer"].append(first)
            seconds["loaded_answer"].append(loaded)
            parts.append(worker.ask("parts", name=name))
            # So that the next turn's is not live.
            worker.ask("answer", names=[name])
    medians = {f"{key}_ms": _median_ms(values) for key, values in seconds.items()}
    return {
        "switch_over_inference": statistics.median(ratios),
        **medians,
        "parts_ms": {part: _median_ms([one[part] for one in parts]) for part in parts[0]},
    }


def _median_ms(seconds: Sequence[float]) -> float:
    return 1000 * statistics.median(seconds)
