"""Flags of the scripts that use a trained run; `run_flags` reads them.

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
CACHE_MB = flags.DEFINE_integer(
    "cache_mb",
    0,
    "Memory, in MB, for sub networks that stay restored, so that they need not be restored again; "
    "those used last stay. One takes about a byte per weight. 0: none stays.",
    lower_bound=0,
)
