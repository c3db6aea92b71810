"""``make demo``: the whole site on this machine with a living market, until Ctrl-C."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from .embedded import ROOT
from .processes import die_with_make, stopping_cleanly
from .stack import Stack


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m marketplace.ops.demo")
    parser.add_argument("--var", type=Path, default=ROOT / "var")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--empty", action="store_true", help="without the demo market")
    options = parser.parse_args(arguments)

    began = time.monotonic()
    stack = Stack(options.var, port=options.port)
    with stopping_cleanly("demo"):
        die_with_make()
        stack.start(prepare=["prepare"] if options.empty else ["prepare", "--market"])
        try:
            accounts = stack.var / "demo-accounts.txt"
            print(
                f"\nVoltbazaar runs at {stack.url} (ready after {time.monotonic() - began:.1f} s)"
            )
            if accounts.exists():
                print(accounts.read_text(), end="")
            print(f"What the processes say is in {stack.var / 'log'}. Ctrl-C stops everything.")
            sys.stdout.flush()
            while True:
                time.sleep(0.5)
                stack.watch()
        finally:
            print("\nStopping …", flush=True)
            stack.stop()
            print("Everything has stopped.", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
