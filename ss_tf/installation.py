"""What to install where a package is missing. The extras are those of setup.cfg."""

from __future__ import annotations

import sys

_OWN = ("ss_tf", "tfds_superclass")
# Extras that a script needs which has come as far as importing a package; else `tensorflow` alone.
_EXTRAS = {"ai_edge_litert": "tensorflow,edge"}


def explain(error: ModuleNotFoundError, *, extras: str | None = None) -> str | None:
    """Returns one line that says what to install.

    Args:
      error: of an import.
      extras: what brings all that the program needs; None for what the scripts do.

    Returns:
      The line; None if what is missing is a module of this project, of Python, or inside a package
      that is there, which no extra mends.
    """
    package, _, inside = (error.name or "").partition(".")
    if inside or package in ("", *_OWN, *sys.stdlib_module_names):
        return None
    extras = extras or _EXTRAS.get(package, "tensorflow")
    return (
        f"the package {package} is not installed. Run pip install -e '.[{extras}]' in the folder "
        "of setup.cfg first."
    )
