"""``make check``: everything that can be said about the code without running it for long."""

import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from .embedded import ROOT
from .processes import stopping_cleanly

PYTHON = sys.executable
MANAGE = [PYTHON, "manage.py"]
BIN = Path(PYTHON).parent  # beside the interpreter of the environment, not where its link leads
SCHEMA = Path("docs/openapi.yaml")

# As a site that people use would set it. Nothing here is a real secret or a real place.
PRODUCTION = {
    "SECRET_KEY": secrets.token_urlsafe(48),
    "SITE_URL": "https://voltbazaar.example",
    "ALLOWED_HOSTS": "voltbazaar.example",
    "DATABASE_URL": "postgresql://voltbazaar@127.0.0.1:1/voltbazaar",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
    "HASHED_STATIC": "1",
    "TRUSTED_PROXY": "1",
    # There is no server at that address, on purpose: what is checked here needs none.
    "PYTHONWARNINGS": "ignore:Got an error checking a consistent migration history:RuntimeWarning",
}


def steps(scratch: Path) -> list[tuple[str, list[str]]]:
    """Return name and command of everything that is checked, the quick ones first."""
    schema = scratch / "openapi.yaml"
    found: list[tuple[str, list[str]]] = [
        ("ruff check", [str(BIN / "ruff"), "check", "."]),
        ("ruff format", [str(BIN / "ruff"), "format", "--check", "."]),
        ("templates are formatted", [str(BIN / "djangofmt"), "--check", "templates"]),
        ("import contracts", [str(BIN / "lint-imports")]),
        ("system checks", [*MANAGE, "check", "--deploy", "--fail-level", "WARNING"]),
        ("no missing migrations", [*MANAGE, "makemigrations", "--check", "--dry-run"]),
        (
            "API schema is valid",
            [*MANAGE, "spectacular", "--validate", "--fail-on-warn", "--file", str(schema)],
        ),
        ("API schema is the one in docs", ["diff", "-u", str(SCHEMA), str(schema)]),
        ("styles are built", [*MANAGE, "build_css", "--check"]),
        ("translations are complete", [*MANAGE, "check_translations"]),
        ("types", [str(BIN / "mypy"), "marketplace"]),
    ]
    return [step for step in found if _exists(step[1])]


def _exists(command: Sequence[str]) -> bool:
    """A command of a room that is not open yet is no failure; a missing tool is."""
    if command[:2] != MANAGE or command[2] not in {"check_translations", "build_css"}:
        return True
    pattern = f"marketplace/*/management/commands/{command[2]}.py"
    return any(ROOT.glob(pattern))


def main() -> int:
    with stopping_cleanly("check"), tempfile.TemporaryDirectory() as scratch:
        environment = {**os.environ, **PRODUCTION, "VAR_DIR": scratch}
        environment.pop("DEBUG", None)
        for name, command in steps(Path(scratch)):
            print(f"── {name}", flush=True)
            began = time.perf_counter()
            done = subprocess.run(command, cwd=ROOT, env=environment, check=False)
            if done.returncode:
                print(f"make check failed at: {name}", file=sys.stderr)
                return 1
            print(f"   {time.perf_counter() - began:.1f} s", flush=True)
        print("All checks passed.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
