"""Bytes of the networks of a run: real files, headers included, and what they compare with."""

from __future__ import annotations

import math
import pathlib
from collections.abc import Iterable, Mapping

from ss_tf import files
from ss_tf.config import RunConfig
from ss_tf.deltas import bank
from ss_tf.deltas import sizes as delta_sizes
from ss_tf.evaluation.gather import stage1_network
from ss_tf.evaluation.results import NOT_EVALUATED
from ss_tf.evaluation.stored_predictions import superclasses_with_sub
from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.models import int8_grid
from ss_tf.models.integer_network import IntegerNetwork
from ss_tf.training.run_dir import FLAT, FLAT_EQUAL_COMPUTE, RunDir, sub

# Compressed form -> the form it is compared with.
_ORIGINALS = {"fp16_7z": "fp32_network", "int8_delta": "int8_network"}
_FORMS = (*_ORIGINALS.values(), *_ORIGINALS, "int8_delta_entropy")


def measure(
    config: RunConfig, run: RunDir, *, superclass_map: SuperclassMap, base: IntegerNetwork | None
) -> dict[str, object]:
    """Measures how large the networks of a run are on disk.

    Args:
      config: tells which network is the base.
      run: its folder.
      superclass_map: the run's partition.
      base: the base, or None if there is none.

    Returns:
      The entry `sizes` of results.json. Bytes of a sub network in each form: the files of
      `fp32_network`, `int8_network` and `int8_delta` (in the bank); `fp16_7z` (the paper's delta,
      made in memory for its size alone) and `int8_delta_entropy` (order-0 entropy of the delta's
      residuals), with `size_ratio` of fp16_7z to fp32_network and of int8_delta to int8_network.
      At the top these are means over the superclasses; `per_superclass` has each. `systems` has
      the bytes of network files that whole systems need `on_disk`, and of those they need
      `at_once`. What is not on disk is "not evaluated".

    Raises:
      ValueError: naming the file, if a network is damaged.
    """
    subs = {
        name: _sub_sizes(run, name, base=base)
        for name in superclasses_with_sub(superclass_map).values()
    }
    return {
        **{form: _mean_bytes(form, subs) for form in _FORMS},
        "size_ratio": {
            form: _mean([sizes["size_ratio"][form] for sizes in subs.values()])
            for form in _ORIGINALS
        },
        "per_superclass": subs,
        "systems": _systems(config, run, subs),
    }


def _sub_sizes(run: RunDir, superclass: str, *, base: IntegerNetwork | None) -> dict[str, object]:
    """Returns form -> bytes of one sub network, and its size ratios."""
    float_file = run.float_file(sub(superclass))
    sizes = {form: NOT_EVALUATED for form in _FORMS}
    sizes["fp32_network"] = _file_bytes(float_file)
    sizes["int8_network"] = _file_bytes(run.int8_file(sub(superclass)))
    if base is not None:
        sizes["int8_delta"] = _file_bytes(bank.entry_path(run.bank_dir, superclass))
        if sizes["int8_delta"] != NOT_EVALUATED:
            network = bank.read_entry(run.bank_dir, superclass, base=base)
            entropy = delta_sizes.residual_entropy_bytes(base, network)
            sizes["int8_delta_entropy"] = math.ceil(entropy)
        if float_file.is_file():
            tensors, _ = files.read_tensors(float_file)
            # The float sub network started from the base's dequantized weights.
            sizes["fp16_7z"] = delta_sizes.fp16_7z_bytes(int8_grid.float_weights(base), tensors)
    ratios = {
        form: NOT_EVALUATED
        if NOT_EVALUATED in (sizes[form], sizes[original])
        else delta_sizes.size_ratio(sizes[form], sizes[original])
        for form, original in _ORIGINALS.items()
    }
    return {**sizes, "size_ratio": ratios}


def _systems(
    config: RunConfig, run: RunDir, subs: Mapping[str, Mapping[str, object]]
) -> dict[str, dict[str, int | str]]:
    """Returns system -> bytes of the network files it needs on disk, and at once."""
    stage1 = stage1_network(config)
    flat = _file_bytes(run.float_file(FLAT))
    second_flat = _file_bytes(run.float_file(FLAT_EQUAL_COMPUTE))
    base = NOT_EVALUATED if config.base is None else _file_bytes(run.int8_file(config.base))
    vanilla = _total(
        [_file_bytes(run.float_file(stage1)), *(sizes["fp32_network"] for sizes in subs.values())]
    )
    int8_subs = [sizes["int8_network"] for sizes in subs.values()]
    # What the router holds: the base, all deltas, and during a call the sub network it restored. In
    # memory deltas are packed otherwise than in the bank (ResidentNetwork.delta_bytes); their files
    # stand for them.
    largest_sub = NOT_EVALUATED if NOT_EVALUATED in int8_subs else max(int8_subs, default=0)
    bank_and_base = _total([base, *(sizes["int8_delta"] for sizes in subs.values())])
    two_stage = _bytes(bank_and_base, at_once=_total([bank_and_base, largest_sub]))
    return {
        "stage1": _bytes(base if config.base else _file_bytes(run.float_file(stage1))),
        "flat": _bytes(flat),
        "flat_int8": _bytes(base if config.base == FLAT else NOT_EVALUATED),
        "flat_equal_compute": _bytes(second_flat),
        "vanilla": _bytes(vanilla),
        "hard": two_stage,
        # One sub network after another, so never more of them at once.
        "soft": two_stage,
    }


def _bytes(on_disk: int | str, *, at_once: int | str | None = None) -> dict[str, int | str]:
    """Returns the sizes of a system; where they are one number, all is needed at once."""
    return {"on_disk": on_disk, "at_once": on_disk if at_once is None else at_once}


def _file_bytes(path: pathlib.Path) -> int | str:
    return path.stat().st_size if path.is_file() else NOT_EVALUATED


def _total(values: Iterable[int | str]) -> int | str:
    values = list(values)
    return NOT_EVALUATED if NOT_EVALUATED in values else sum(values)


def _mean(values: Iterable[float | str]) -> float | str:
    values = list(values)
    if not values or NOT_EVALUATED in values:
        return NOT_EVALUATED
    return math.fsum(values) / len(values)


def _mean_bytes(form: str, subs: Mapping[str, Mapping[str, object]]) -> int | str:
    mean = _mean([sizes[form] for sizes in subs.values()])
    return mean if isinstance(mean, str) else round(mean)
