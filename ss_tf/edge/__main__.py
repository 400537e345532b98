"""Classifies image files on a device: python -m ss_tf.edge BUNDLE IMAGE..."""

import sys

from ss_tf.edge import command

if __name__ == "__main__":
    sys.exit(command.main(sys.argv[1:]))
