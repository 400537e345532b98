"""Makes the modules of benchmarks/ importable, which are not part of the package."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "benchmarks"))
