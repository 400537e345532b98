"""What the scripts at the top of the repository share: start-up, and errors in one line."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from absl import app, flags, logging


def run(main: Callable[[list[str]], int | None]) -> None:
    """Parses the flags and runs `main` with what is left of the command line, then exits.

    A ValueError, a bad flag, a file that cannot be opened or an image that cannot be decoded is a
    message to the user: it is printed in one line, and the exit code is 1. With --verbosity=1 the
    traceback is printed as well.
    """
    # Fewer of TensorFlow's start-up notes before the first line that matters.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

    def main_with_errors_in_one_line(argv: list[str]) -> int | None:
        try:
            # Scripts that use a run have imported it.
            if run_flags := sys.modules.get("ss_tf.run_flags"):
                run_flags.check_script(argv[0])
            return main(argv)
        except (ValueError, OSError, flags.Error) as error:
            return _report(str(error), script=argv[0])
        except KeyboardInterrupt:
            print("\nStopped. The same command continues a training.", file=sys.stderr)
            return 130
        except Exception as error:
            # Whoever has batches has imported it; TensorFlow takes seconds to import.
            image_batches = sys.modules.get("ss_tf.data.image_batches")
            message = image_batches.explain(error) if image_batches else None
            if message is None:
                raise
            return _report(message, script=argv[0])

    app.run(main_with_errors_in_one_line)


def refuse_arguments(argv: list[str]) -> None:
    """Raises ValueError naming the first word on the command line that belongs to no flag.

    Args:
      argv: what `run` gave to `main`: the script, and what is left beside flags.
    """
    if len(argv) > 1:
        raise ValueError(f"unexpected argument {argv[1]!r}, expected --flags only (--helpshort).")


def _report(message: str, *, script: str) -> int:
    """Prints the message of the error that is being handled; returns the exit code."""
    logging.debug("The error's origin:", exc_info=True)
    print(f"{os.path.basename(script)}: error: {message}", file=sys.stderr)
    return 1
