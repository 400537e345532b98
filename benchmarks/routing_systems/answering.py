"""Answers lines of JSON on standard input with lines of JSON: what a worker process does."""

from __future__ import annotations

import json
import os
import sys


def serve(commands: object) -> None:
    """Calls the methods that lines ask for by `do`, until there is no more to read."""
    # Whatever else is printed must not come between the answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    print(json.dumps({"ready": True}), file=answers)
    for line in sys.stdin:
        command = json.loads(line)
        answer = getattr(commands, command.pop("do"))(**command)
        print(json.dumps(answer), file=answers)
