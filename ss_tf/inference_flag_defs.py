"""Flags of the scripts that use a trained run; `inference_flags` and `report_flags` read them.

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
PREDICTIONS = flags.DEFINE_string(
    "predictions",
    None,
    "A predictions.npz that eval.py wrote (RUN_DIR/report): the report beside it is computed "
    "again, in seconds, without networks or images. Not with --run_dir.",
)
REQUIRE = flags.DEFINE_list(
    "require",
    [],
    "Systems that must have been evaluated, separated by commas, such as hard,oracle: if one was "
    "not, the exit code is 1. The report is written all the same.",
)
COMPARE = flags.DEFINE_list(
    "compare",
    [],
    "Two runs that are evaluated, as RUN_A,RUN_B: prints what B has more than A, on the same "
    "validation images, and writes it into RUN_A/report. No other flag goes with it.",
)
