"""Measures systems side by side: memory, speed in turns, predictions, and where the time goes."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import statistics
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import tqdm

from routing_systems.mixes import MIXES, Drawn, Real
from routing_systems.process import Worker

EFFICIENT, CACHED, SHARED = "efficient", "efficient cached", "efficient shared trunk"
VANILLA, FLAT = "vanilla", "flat"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Effort:
    """How much is measured.

    Attributes:
      batches: batch sizes, ascending.
      rounds: times that the systems take turns.
      calls: most calls of a turn, fewer where they would be for more images than the largest batch.
      repetitions: of restoring a sub network; a profile takes a quarter of them.
      compared_calls: most calls of a batch size whose results are compared, but for the largest,
        which is compared on all images.
    """

    batches: tuple[int, ...] = (1, 8, 64)
    rounds: int = 5
    calls: int = 10
    repetitions: int = 30
    compared_calls: int = 1000

    def calls_of(self, batch: int) -> int:
        """Returns how many calls of a batch size a turn has."""
        return max(1, min(self.calls, self.batches[-1] // batch))


@contextlib.contextmanager
def loaded(
    systems: Mapping[str, tuple[str, pathlib.Path]],
    source: Drawn | Real,
    *,
    images: pathlib.Path,
    effort: Effort,
) -> Iterator[tuple[dict[str, Worker], dict[str, dict]]]:
    """Starts a process for each system, and measures its memory as it is loaded and used.

    Args:
      systems: name -> kind of `systems.load`, and folder of the run.
      source: of calls.
      images: file of what they are about.
      effort: gives the batch sizes.

    Yields:
      Name -> process, and name -> bytes: of `weights`; `peak_bytes` above imports, of loading and
      classifying single images; `serving_peak_bytes` by batch size, of classifying alone.
    """
    with contextlib.ExitStack() as stack:
        workers = {name: stack.enter_context(Worker()) for name in systems}
        for worker in workers.values():
            worker.wait_ready()
        facts = {}
        for name, (kind, run_dir) in tqdm.tqdm(systems.items(), desc="Loading"):
            worker = workers[name]
            begun = worker.ask("load", kind=kind, run_dir=str(run_dir), images=str(images))
            facts[name] = {
                "weight_bytes": begun["weight_bytes"],
                "load_seconds": begun["seconds"],
                "loading_peak_bytes": begun["peak"],
                **_serving(worker, source, effort=effort),
            }
        yield workers, facts


def _serving(worker: Worker, source: Drawn | Real, *, effort: Effort) -> dict[str, object]:
    """Classifies batches of each size; returns the peaks."""
    one = source.calls(MIXES[0], batch=1, count=3)
    worker.ask("classify", calls=one)
    peak = worker.ask("memory", reset=True)["peak"]
    serving = {}
    for batch in effort.batches:
        worker.ask("classify", calls=source.calls(MIXES[0], batch=batch, count=2))
        serving[str(batch)] = worker.ask("memory", reset=True)["peak"]
    return {"peak_bytes": peak, "serving_peak_bytes": serving}


def speeds(
    workers: Mapping[str, Worker],
    source: Drawn | Real,
    *,
    effort: Effort,
    mixes: Sequence[str] = MIXES,
    batches: Sequence[int] | None = None,
) -> list[dict[str, object]]:
    """Times systems in turns, every other round in reverse order, all with the same calls.

    Returns:
      For each batch size and mix a row: `ms_per_image` and `images_per_s`, medians, and
      `speed_over` vanilla and flat, the median of the rounds' ratios.
    """
    cases = [(batch, mix) for batch in batches or effort.batches for mix in mixes]
    rows = []
    for batch, mix in tqdm.tqdm(cases, desc="Timing"):
        seconds = {name: [] for name in workers}
        for turn in range(effort.rounds + 1):
            calls = source.calls(mix, batch=batch, count=effort.calls_of(batch), turn=turn)
            for name in list(workers)[:: 1 if turn % 2 else -1]:
                took = sum(workers[name].ask("classify", calls=calls)["seconds"])
                seconds[name].append(took / (batch * len(calls)))
        # The first round warms up.
        rows.append(_row(batch, mix, {name: values[1:] for name, values in seconds.items()}))
    return rows


def _row(batch: int, mix: str, seconds: Mapping[str, list[float]]) -> dict[str, object]:
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    speed_over = {
        peer: {
            name: statistics.median(
                theirs / ours for theirs, ours in zip(seconds[peer], values, strict=True)
            )
            for name, values in seconds.items()
        }
        for peer in (FLAT, VANILLA)
        if peer in seconds
    }
    return {
        "batch": batch,
        "mix": mix,
        "ms_per_image": {name: 1000 * value for name, value in medians.items()},
        "images_per_s": {name: 1 / value for name, value in medians.items()},
        "speed_over": speed_over,
    }


def switch(worker: Worker, *, effort: Effort) -> dict[str, float]:
    """Returns milliseconds of restoring a sub network and of a forward pass, and their ratio."""
    seconds = worker.ask("switch", repetitions=effort.repetitions)
    restore, forward = (statistics.median(seconds[name]) for name in ("restore", "forward"))
    return {
        "restore_ms": 1000 * restore,
        "forward_ms": 1000 * forward,
        "switch_over_forward": restore / forward,
    }


def profiles(
    workers: Mapping[str, Worker], source: Drawn | Real, *, effort: Effort
) -> list[dict[str, object]]:
    """Returns where the time of a call goes, for the least and the largest batch; milliseconds."""
    rows = []
    # In a cache there is no part that restores.
    two_stage = [name for name in workers if name not in (FLAT, CACHED)]
    for batch in sorted({effort.batches[0], effort.batches[-1]}):
        for name in two_stage:
            # More of the short ones.
            repetitions = max(1, effort.repetitions // (2 if batch == 1 else 8))
            seconds = workers[name].ask(
                "parts", call=source.told_call(batch), repetitions=repetitions
            )
            opened = seconds.pop("opened")
            milliseconds = {part: 1000 * value for part, value in seconds.items()}
            rows.append({"system": name, "batch": batch, "opened": opened, "ms": milliseconds})
    return rows


def identical(
    workers: Mapping[str, Worker], source: Drawn | Real, *, effort: Effort
) -> dict[str, object]:
    """Compares what efficient and vanilla say of images, in batches of each size.

    Few labels change where scores do, and fewest of drawn networks: so scores are compared, too.

    Returns:
      How many `images`, all of them in the largest batches; how many of them got `different`
      labels, in batches of any size; in how many calls `scores_differ`, out of `calls`, and whether
      they never do, not in one bit: `scores_are_bit_equal`; and vanilla's `labels`, from the
      largest batches.
    """
    labels = np.zeros(source.num_images, np.int64)
    is_different, differing_calls, num_calls = np.zeros(labels.shape, bool), 0, 0
    for batch in effort.batches:
        calls = source.all_calls(batch)
        if batch != effort.batches[-1]:
            calls = calls[:: -(-len(calls) // effort.compared_calls)]
        ours, theirs = (
            workers[name].ask("classify", calls=calls, results=True)
            for name in (EFFICIENT, VANILLA)
        )
        rows = np.concatenate([call["rows"] for call in calls])
        labels[rows] = np.concatenate(theirs["labels"])
        is_different[rows] |= np.concatenate(ours["labels"]) != labels[rows]
        pairs = list(zip(ours["scores"], theirs["scores"], strict=True))
        differing_calls += sum(own != other for own, other in pairs)
        num_calls += len(pairs)
    return {
        "images": len(labels),
        "different": int(np.count_nonzero(is_different)),
        "calls": num_calls,
        "scores_differ": differing_calls,
        "scores_are_bit_equal": differing_calls == 0,
        "labels": labels,
    }


def slope(rows: Sequence[Mapping], values: Sequence[float]) -> float:
    """Returns bytes per superclass, by least squares."""
    return float(np.polyfit([row["superclasses"] for row in rows], values, 1)[0])
