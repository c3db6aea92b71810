"""What browsers load is what the sources say."""

import re
import tomllib

from django.conf import settings

from marketplace.web.management.commands import build_css, vendor

TEMPLATES = sorted((settings.BASE_DIR / "templates").rglob("*.html"))


def test_the_style_sheet_is_built_from_its_sources():
    assert build_css.TARGET.read_text("utf-8") == build_css.built(), "run manage.py build_css"


def test_vendored_files_are_as_listed():
    libraries = tomllib.loads(vendor.LIST.read_text("utf-8"))["library"]

    assert vendor.altered(libraries) == []
    assert all(library["licence"] and library["version"] for library in libraries)


def test_only_the_tokens_name_colours():
    for name in ("reset", "base", "layout", "utilities"):
        css = (build_css.SOURCE.parent / f"{name}.css").read_text("utf-8")
        assert not re.search(r"#[0-9a-f]{3,8}\b|rgb\(", css), name


def test_styles_know_no_left_and_right_but_for_drawings():
    for path in build_css.SOURCE.parent.glob("*.css"):
        css = re.sub(r"linear-gradient\([^;]*", "", path.read_text("utf-8"))
        assert not re.search(r"(?<![-\w])(margin|padding|border|inset)?-?(left|right)\s*:", css), (
            path
        )


def test_no_template_carries_an_inline_style_or_script():
    for path in TEMPLATES:
        source = path.read_text("utf-8")
        assert not re.search(r"\sstyle=[\"']|<style|\son[a-z]+=[\"']|javascript:", source), path
        assert not re.search(r"<script(?![^>]*\ssrc=)", source), path


def test_every_icon_that_a_template_names_is_there():
    icons = {path.stem for path in (settings.BASE_DIR / "static" / "icons").glob("*.svg")}
    for path in TEMPLATES:
        named = set(re.findall(r"{% icon [\"']([\w-]+)[\"']", path.read_text("utf-8")))
        assert named <= icons, path
