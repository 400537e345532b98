"""Times the input pipeline beside its peers, and beside a training step.

    python benchmarks/input_pipeline.py --json docs/results/input_pipeline.json

Data: 128 generated JPEG images of 500 x 375 pixels, quality 90, about 110 kB each like ImageNet's:
smooth noise of many sizes, straight edges and grain. They are written once as TFRecords by TFDS and
once as single files. Everything then comes from the page cache: disks are not measured.

All pipelines give float32 batches of 224 x 224 pixels in random order:

  ours           `train_batches`: any image at random from the TFRecords, a random crop decoded
                 alone, resize, mirroring, normalisation. Crops have 0.35 to all of the area.
  ours, 0.08     the same with crops of 0.08 to all of the area.
  plain TFDS     tfds.load(shuffle_files=True, as_supervised=True), map of tf.image.resize with
                 AUTOTUNE, batch, prefetch. No crop, no mirroring, no normalisation.
  normalised     the same with (resize / 255 - mean) / std in the map.
  Pillow         torch's DataLoader over the files, a worker process per core: Pillow decodes a
                 random crop's image, cuts, resizes and mirrors it; torch normalises it.

Each pipeline runs several times, in turns with the
others, so that what else the machine does hits all alike; medians are reported. Images/s per core
are images/s of the whole machine divided by its cores.

The training loop is a ResNet-18 of full width on 224 x 224 pixels, batches of 16, on what devices
TensorFlow has: its steps/s fed by our pipeline, over its steps/s on one batch held in memory.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import pathlib
import platform
import shlex
import statistics
import sys
import tempfile

# Without this, a checkout that is not installed would not be found.
sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from input_systems import photos, pipelines, timing

from ss_tf import files
from ss_tf.evaluation import provenance

_SMALLER_CROP_AREA = 0.08


def measure(*, turns: int, loop_turns: int, loop_steps: int) -> dict:
    """Measures everything; returns what goes into the JSON file."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        builder = photos.prepare(folder)
        systems = {
            "ours": lambda: pipelines.ours(builder, batch_size=pipelines.BATCH_SIZE),
            "ours, 0.08": lambda: pipelines.ours(
                builder, batch_size=pipelines.BATCH_SIZE, min_crop_area=_SMALLER_CROP_AREA
            ),
            "plain TFDS": lambda: pipelines.plain_tfds(builder, is_normalised=False),
            "normalised": lambda: pipelines.plain_tfds(builder, is_normalised=True),
        }
        if importlib.util.find_spec("torch"):
            loader = pipelines.pillow(folder)
            systems["Pillow"] = lambda: loader
        else:
            print("torch is not installed, so vs_pillow is null: pip install torch")
        rates = timing.time_pipelines(systems, turns)
        loop = timing.time_loop(builder, turns=loop_turns, steps=loop_steps)
        jpeg_bytes = [path.stat().st_size for path in folder.glob("*.jpg")]
    return {
        "vs_plain_tfds": timing.ratio(rates, "ours", "plain TFDS"),
        "vs_pillow": timing.ratio(rates, "ours", "Pillow"),
        "loop_vs_memory": timing.ratio(loop, "real input", "memory"),
        "vs_plain_tfds_crops_0.08": timing.ratio(rates, "ours, 0.08", "plain TFDS"),
        "vs_normalised_tfds": timing.ratio(rates, "ours", "normalised"),
        "images_per_second_per_core": {n: statistics.median(r) for n, r in rates.items()},
        "steps_per_second": {n: statistics.median(r) for n, r in loop.items()},
        "mean_jpeg_bytes": statistics.mean(jpeg_bytes),
        "command": shlex.join(["python", *sys.argv]),
        "versions": provenance.versions(*(["torch"] if "Pillow" in rates else [])),
        "cores": pipelines.CORES,
        "machine": platform.machine(),
    }


def main() -> None:
    """Measures, prints, and writes the file that is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=pathlib.Path, help="file to write the results to")
    parser.add_argument("--turns", type=int, default=7, help="times that each pipeline is timed")
    parser.add_argument("--loop_turns", type=int, default=4, help="the same for the training loop")
    parser.add_argument("--loop_steps", type=int, default=3, help="training steps per turn")
    arguments = parser.parse_args()
    results = measure(
        turns=arguments.turns,
        loop_turns=arguments.loop_turns,
        loop_steps=arguments.loop_steps,
    )
    text = json.dumps(results, indent=1)
    print(text)
    if arguments.json:
        files.write_atomically(arguments.json, f"{text}\n".encode())


if __name__ == "__main__":
    main()
