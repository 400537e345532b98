"""Makes the modules of tools/ importable; they are not part of the package."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tools"))
