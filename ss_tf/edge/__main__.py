"""Classifies image files on a device: python -m ss_tf.edge BUNDLE IMAGE..."""

import sys

from ss_tf import installation


def _main() -> int | str:
    """Returns the exit code, or what to tell the user where a package is missing."""
    try:
        from ss_tf.edge import command

        return command.main(sys.argv[1:])
    except ModuleNotFoundError as error:
        message = installation.explain(error, extras="edge")
        if message is None:
            raise
        return f"ss_tf.edge: error: {message}"
    except KeyboardInterrupt:  # While packages are imported; later the command sees to it.
        return 130


if __name__ == "__main__":
    sys.exit(_main())
