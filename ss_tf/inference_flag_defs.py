"""Flags of the scripts that use a trained run; `inference_flags` reads them.

They stand apart from `flag_defs`, whose flags are kept with a run and make up train.py's help.
"""

from __future__ import annotations

from absl import flags

ROUTING = flags.DEFINE_enum(
    "routing",
    "hard",
    ["hard", "soft"],
    "hard opens the sub network of the most probable superclass. soft opens a second one where the "
    "first is in doubt, and weighs answers as eval.py fitted it on minival (RUN_DIR/routing.json).",
)
TOP_K = flags.DEFINE_integer(
    "top_k",
    1,
    "Most labels shown per image, the most probable ones, each with the probability of superclass "
    "and label together. With --routing=hard all are labels of one superclass.",
    lower_bound=1,
)
JSON = flags.DEFINE_bool(
    "json",
    False,
    "Prints one JSON object per line and image instead of text, also for an image that cannot be "
    "read. The README lists the fields.",
)
FORMAT = flags.DEFINE_enum(
    "format",
    "saved_model",
    ["saved_model", "tflite"],
    "What export.py makes. saved_model: a folder that TensorFlow and TensorFlow Serving load. "
    "tflite: a bundle for devices, one int8 .tflite file and a small delta per sub network.",
)
OUTPUT = flags.DEFINE_string(
    "output",
    None,
    "Folder that export.py makes; nothing may be there yet. Default: RUN_DIR/export/<format>, "
    "or <format>_plain.",
)
PLAIN = flags.DEFINE_bool(
    "plain",
    False,
    "With --format=tflite: full .tflite files of the base and of each sub network, in int8 and in "
    "float16, instead of a bundle.",
)
EDGE_BUNDLE = flags.DEFINE_string(
    "edge_bundle",
    None,
    "Bundle that export.py --format=tflite made of the run. eval.py then compares it, in LiteRT, "
    "with the run's int8 networks in TensorFlow, and leaves the report as it is.",
)
CACHE_MB = flags.DEFINE_integer(
    "cache_mb",
    0,
    "Memory, in MB, for sub networks that stay restored, so that they need not be restored again; "
    "those used last stay. One takes about a byte per weight. 0: none stays.",
    lower_bound=0,
)
