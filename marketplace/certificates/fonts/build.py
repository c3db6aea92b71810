"""Build the fonts that PDFs embed, from unpacked npm packages @fontsource/noto-sans*.

    npm pack @fontsource/noto-sans@5.3.0 && mkdir noto-sans && tar xzf … -C noto-sans    (each package)
    python marketplace/certificates/fonts/build.py DIRECTORY

Writes one TrueType file per script and ``fonts.toml``, the version list that a test compares with the files.
Latin, Latin Extended and Vietnamese become one file: three files of one family name make a typesetter pick one
of them, and Vietnamese letters come out as boxes.
"""

import json
import sys
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from fontTools.merge import Merger
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

HERE = Path(__file__).parent
FONTS = {
    "NotoSans-Regular": ("noto-sans", ("latin", "latin-ext", "vietnamese"), 400),
    "NotoSans-Bold": ("noto-sans", ("latin", "latin-ext", "vietnamese"), 700),
    "NotoSansDevanagari-Regular": ("noto-sans-devanagari", ("devanagari",), 400),
    "NotoSansBengali-Regular": ("noto-sans-bengali", ("bengali",), 400),
    "NotoSansTamil-Regular": ("noto-sans-tamil", ("tamil",), 400),
    "NotoSansSinhala-Regular": ("noto-sans-sinhala", ("sinhala",), 400),
    "NotoSansThai-Regular": ("noto-sans-thai", ("thai",), 400),
    "NotoSansKhmer-Regular": ("noto-sans-khmer", ("khmer",), 400),
    "NotoSansLao-Regular": ("noto-sans-lao", ("lao",), 400),
    "NotoSansMyanmar-Regular": ("noto-sans-myanmar", ("myanmar",), 400),
}


def without_hints(source: Path, target: Path) -> Path:
    """Write a WOFF font as TrueType, without hinting, and return where."""
    font = TTFont(source)
    options = Options(hinting=False, layout_features=["*"], name_IDs=["*"], notdef_outline=True)
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=font.getBestCmap())
    subsetter.subset(font)
    font.flavor = None
    font["head"].modified = font["head"].created
    font.recalcTimestamp = False
    font.save(target)
    return target


def ranges(points: Iterable[int]) -> str:
    """Write code points as hexadecimal ranges: 20-7e a0-17f."""
    runs: list[list[int]] = []
    for point in sorted(points):
        if runs and point == runs[-1][1] + 1:
            runs[-1][1] = point
        else:
            runs.append([point, point])
    return " ".join(f"{first:x}-{last:x}" for first, last in runs)


def build(packages: Path) -> None:
    entries = []
    for name, (package, subsets, weight) in FONTS.items():
        unpacked = packages / package / "package"
        about = json.loads((unpacked / "package.json").read_text())
        target = HERE / f"{name}.ttf"
        with TemporaryDirectory() as scratch:
            parts = [
                without_hints(
                    unpacked / "files" / f"{package}-{subset}-{weight}-normal.woff",
                    Path(scratch) / f"{subset}.ttf",
                )
                for subset in subsets
            ]
            if len(parts) == 1:
                target.write_bytes(parts[0].read_bytes())
            else:
                merged = Merger().merge([str(part) for part in parts])
                merged.recalcTimestamp = False
                merged["head"].created = merged["head"].modified = 0
                merged.save(target)
        entries.append(
            "[[font]]\n"
            f'file = "{target.name}"\n'
            f'name = "{TTFont(target)["name"].getBestFamilyName()}"\n'
            f'source = "npm:@fontsource/{package}"\n'
            f'version = "{about["version"]}"\n'
            f"subsets = {json.dumps(subsets)}\n"
            f'licence = "{about["license"]}"\n'
            f'covers = "{ranges(TTFont(target).getBestCmap())}"\n'
            f'sha256 = "{sha256(target.read_bytes()).hexdigest()}"\n'
        )
        (HERE / "OFL.txt").write_text((packages / "noto-sans" / "package" / "LICENSE").read_text())
    (HERE / "fonts.toml").write_text("\n".join(entries))


if __name__ == "__main__":
    build(Path(sys.argv[1]))
