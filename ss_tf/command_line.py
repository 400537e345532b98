"""What the scripts at the top of the repository share: start-up, and errors in one line."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from absl import app, flags, logging


def run(main: Callable[[list[str]], int | None]) -> None:
    """Parses the flags and runs `main` with what is left of the command line, then exits.

    A ValueError, a bad flag or a file that cannot be opened is a message to the user: it is printed
    in one line, and the exit code is 1. With --verbosity=1 the traceback is printed as well.
    """
    # Fewer of TensorFlow's start-up notes before the first line that matters.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

    def main_with_errors_in_one_line(argv: list[str]) -> int | None:
        try:
            return main(argv)
        except (ValueError, OSError, flags.Error) as error:
            logging.debug("The error's origin:", exc_info=True)
            script = os.path.basename(argv[0])
            print(f"{script}: error: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("\nStopped. The same command continues a training.", file=sys.stderr)
            return 130

    app.run(main_with_errors_in_one_line)
