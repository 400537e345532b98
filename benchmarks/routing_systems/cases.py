"""The cases: drawn networks of full width, how they grow, and the network of a run."""

from __future__ import annotations

import json
import pathlib

import numpy as np

from routing_systems import measure, mixes, runs
from routing_systems.measure import CACHED, EFFICIENT, FLAT, SHARED, VANILLA, Effort
from routing_systems.process import Worker
from ss_tf.models import int8_grid, integer_network
from ss_tf.training.run_dir import SUPER, RunDir

NOT_EVALUATED = "not evaluated"


def drawn(shape: runs.Shape, work_dir: pathlib.Path, *, effort: Effort) -> dict[str, object]:
    """Measures drawn networks: all systems, and how the efficient one grows."""
    work_dir = runs.drawn_dir(work_dir, shape)
    work_dir.mkdir(parents=True, exist_ok=True)
    images = work_dir / "images.npy"
    np.save(images, runs.draw_images(effort.batches[-1], shape, seed=1))
    body = runs.kept_body(work_dir, shape)
    plain, shared = work_dir / "plain", work_dir / "shared_trunk"
    runs.write(plain, body, shape, superclasses=shape.superclasses)
    runs.write(
        shared, body, shape, superclasses=shape.superclasses, shared_stage=shape.shared_stage
    )
    source = mixes.Drawn(num_images=effort.batches[-1], superclasses=shape.superclasses)
    systems = {
        EFFICIENT: ("efficient", plain),
        CACHED: ("cached", plain),
        SHARED: ("efficient", shared),
        VANILLA: ("vanilla", plain),
        FLAT: ("flat", plain),
    }
    found = _systems(systems, source, images=images, effort=effort)
    del found["labels"]
    grown = [shape.superclasses] if shape.superclasses in shape.growth else []
    folders = {n: plain if n in grown else work_dir / f"growth{n}" for n in shape.growth}
    for count, folder in folders.items():
        runs.write(folder, body, shape, superclasses=count)
    base = integer_network.load(RunDir(plain).int8_file(SUPER))
    return {
        **found,
        "fp32_bytes": sum(tensor.nbytes for tensor in int8_grid.float_weights(base).values()),
        "int8_bytes": sum(tensor.nbytes for _, tensor in integer_network.named_tensors(base)),
        "growth": _growth(folders, images=images, effort=effort),
    }


def of_run(run_dir: pathlib.Path, work_dir: pathlib.Path, *, effort: Effort) -> dict[str, object]:
    """Measures the networks of a run with its validation images, which its base routes.

    Raises:
      RuntimeError: if the folder is no run with a bank, or its images are not there.
    """
    images = work_dir / "validation.npy"
    with Worker() as worker:
        facts = worker.ask("export", run_dir=str(run_dir), images=str(images))
    source = mixes.Real(np.array(facts["superclasses"]))
    systems = {name: (name, run_dir) for name in (EFFICIENT, VANILLA, FLAT)}
    found = _systems(systems, source, images=images, effort=effort)
    is_right = found.pop("labels") == np.array(facts["labels"])
    routing = reported_routing(run_dir)
    return {
        **found,
        "two_stage_top1_percent": 100 * float(is_right.mean()),
        "soft_minus_hard_points": soft_minus_hard(routing),
        "routing": routing,
    }


def soft_minus_hard(routing: dict[str, object] | str) -> float | str:
    """Returns what the fitted policy gains over hard routing, as `reported_routing` has it."""
    found = routing.get("soft_minus_hard_points") if isinstance(routing, dict) else None
    return NOT_EVALUATED if found is None else found


def reported_routing(run_dir: pathlib.Path) -> dict[str, object] | str:
    """Reads the entry `routing` of the report of a run: of hard and soft, and their difference."""
    file = pathlib.Path(run_dir) / "report" / "results.json"
    if not file.is_file():
        return NOT_EVALUATED
    return json.loads(file.read_text(encoding="utf-8")).get("routing", NOT_EVALUATED)


def _systems(systems, source, *, images: pathlib.Path, effort: Effort) -> dict[str, object]:
    with measure.loaded(systems, source, images=images, effort=effort) as (workers, memory):
        compared = measure.identical(workers, source, effort=effort)
        labels = compared.pop("labels")
        return {
            "memory": memory,
            "identical": compared,
            "labels": labels,
            "speed": measure.speeds(workers, source, effort=effort),
            "profile": measure.profiles(workers, source, effort=effort),
            # Last, as it loads another network.
            "switch": measure.switch(workers[EFFICIENT], effort=effort),
        }


def _growth(folders, *, images: pathlib.Path, effort: Effort) -> list[dict[str, object]]:
    """Returns memory and time of the efficient system by its number of superclasses."""
    batch = effort.batches[-1]
    rows = []
    for count, folder in folders.items():
        source = mixes.Drawn(num_images=batch, superclasses=count)
        systems = {EFFICIENT: ("efficient", folder)}
        with measure.loaded(systems, source, images=images, effort=effort) as (workers, memory):
            (timed,) = measure.speeds(
                workers, source, effort=effort, mixes=(mixes.EVEN,), batches=(batch,)
            )
        time = timed["ms_per_image"][EFFICIENT]
        rows.append({"superclasses": count, **memory[EFFICIENT], "ms_per_image": time})
    return rows
