"""One JSON object on standard output and nothing else: what solvers print by themselves goes to standard error."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def answered() -> Iterator[Callable[[str], None]]:
    """Give a function that writes one line to the real standard output, while everybody else's goes to standard error."""
    sys.stdout.flush()
    real = os.dup(1)
    os.dup2(2, 1)
    yield lambda line: (os.write(real, (line + "\n").encode()), None)[1]
