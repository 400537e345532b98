"""What the scripts at the top of the repository share: start-up, and errors in one line."""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Callable

from ss_tf import installation

try:
    from absl import app, flags, logging
except ModuleNotFoundError as error:
    # The scripts import this module first, and each of them needs what absl comes with.
    sys.exit(f"{os.path.basename(sys.argv[0])}: error: {installation.explain(error)}")

# Flags that are shown here are those of the script that calls.
flags.disclaim_key_flags()


def run(main: Callable[[list[str]], int | None]) -> None:
    """Parses the flags and runs `main` with what is left of the command line, then exits.

    A ValueError, a bad flag, a file that cannot be opened, an image that cannot be decoded or a
    package that is not installed is a message to the user: it is printed in one line, and the exit
    code is 1. With --verbosity=1 the traceback is printed as well.
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
            message = _explain(error)
            if message is None:
                raise
            return _report(message, script=argv[0])

    app.run(main_with_errors_in_one_line)


def show_flags(*names: str) -> None:
    """Lists flags that other modules define in the calling script's --helpshort."""
    for name in names:
        flags.declare_key_flag(name)


def show_flags_of(module: types.ModuleType) -> None:
    """Lists all flags that a module defines in the calling script's --helpshort."""
    flags.adopt_module_key_flags(module)


def refuse_arguments(argv: list[str]) -> None:
    """Raises ValueError naming the first word on the command line that belongs to no flag.

    Args:
      argv: what `run` gave to `main`: the script, and what is left beside flags.
    """
    if len(argv) > 1:
        raise ValueError(f"unexpected argument {argv[1]!r}, expected --flags only (--helpshort).")


def _explain(error: Exception) -> str | None:
    """Returns what to tell the user of an error; None where that is for a programmer to see."""
    if isinstance(error, ModuleNotFoundError):
        return installation.explain(error)
    # Whoever has batches has imported it; TensorFlow takes seconds to import.
    image_batches = sys.modules.get("ss_tf.data.image_batches")
    return image_batches.explain(error) if image_batches else None


def _report(message: str, *, script: str) -> int:
    """Prints the message of the error that is being handled; returns the exit code."""
    logging.debug("The error's origin:", exc_info=True)
    print(f"{os.path.basename(script)}: error: {message}", file=sys.stderr)
    return 1
