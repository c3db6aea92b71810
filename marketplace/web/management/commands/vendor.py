import hashlib
import re
import subprocess
import tarfile
import tomllib
from argparse import ArgumentParser
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

LIST = settings.BASE_DIR / "static" / "vendor" / "vendor.toml"


class Command(BaseCommand):
    help = (
        "Check the third-party files under static/ against their list, or fetch them again with npm:"
        " --update lucide-static@1.62.0. To add a file, name it in the list with an empty sum, then update."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--update", metavar="NAME@VERSION", help="fetch this version from npm")

    def handle(self, *, update: str | None, **options: Any) -> None:
        libraries = tomllib.loads(LIST.read_text("utf-8"))["library"]
        if update:
            name, _at, version = update.rpartition("@")
            for library in libraries:
                if library["name"] == name:
                    library["version"] = version
                    _fetch(library)
                    break
            else:
                raise CommandError(
                    f"{name or update} is not in {LIST.relative_to(settings.BASE_DIR)}."
                )
            LIST.write_text(_written(libraries), "utf-8")
        if wrong := altered(libraries):
            raise CommandError(f"Not as listed in vendor.toml: {', '.join(wrong)}")
        self.stdout.write(f"{sum(len(library['files']) for library in libraries)} files as listed")


def altered(libraries: list[dict[str, Any]]) -> list[str]:
    """Return the files that are missing or differ from their sum in the list."""
    wrong = []
    for library in libraries:
        for name, expected in library["files"].items():
            path = settings.BASE_DIR / library["into"] / Path(name).name
            if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != expected:
                wrong.append(str(path.relative_to(settings.BASE_DIR)))
    return wrong


def _fetch(library: dict[str, Any]) -> None:
    with TemporaryDirectory() as folder:
        package = f"{library['name']}@{library['version']}"
        npm = ["npm", "pack", "--silent", package]
        subprocess.run(npm, cwd=folder, check=True)  # noqa: S603
        (archive,) = Path(folder).glob("*.tgz")
        with tarfile.open(archive) as files:
            for name in library["files"]:
                member = files.extractfile(f"package/{name}")
                if member is None:
                    raise CommandError(f"{package} has no {name}.")
                content = cleaned(name, member.read().decode())
                path = settings.BASE_DIR / library["into"] / Path(name).name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(content, "utf-8")
                library["files"][name] = hashlib.sha256(content.encode()).hexdigest()


def cleaned(name: str, content: str) -> str:
    """Drop what would break here: source map links (hashed names fail on them), classes and comments of drawings.

    >>> cleaned("a.js", "x=1\\n//# sourceMappingURL=a.js.map\\n")
    'x=1\\n'
    """
    if name.endswith((".js", ".css")):
        return re.sub(r"(//# |/\*# )sourceMappingURL=.*\n?", "", content)
    if name.endswith(".svg"):
        content = re.sub(r"<!--.*?-->", "", content, flags=re.DOTALL)
        content = re.sub(r' class="[^"]*"', "", " ".join(content.split()))
        return content.replace("> <", "><").replace(" >", ">") + "\n"
    return content


def _written(libraries: list[dict[str, Any]]) -> str:
    lines = [
        "# Third-party files, copied as they are but for source map links. `manage.py vendor` checks the sums."
    ]
    for library in libraries:
        lines += ["", "[[library]]"]
        lines += [
            f'{key} = "{library[key]}"' for key in ("name", "version", "licence", "source", "into")
        ]
        lines += ["[library.files]"]
        lines += [f'"{name}" = "{total}"' for name, total in sorted(library["files"].items())]
    return "\n".join(lines) + "\n"
