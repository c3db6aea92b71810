"""The house rules that import-linter and ruff cannot see."""

import ast
from pathlib import Path

import pytest
from django.apps import apps
from django.db import models
from django.utils.module_loading import import_string

from marketplace.journal.events import Event
from marketplace.journal.services import switchboard

HOUSE = Path(__file__).parents[1] / "marketplace"
DOORS = sorted(
    path
    for door in ("web", "api")
    for path in HOUSE.glob(f"{door}/**/*.py")
    if "management" not in path.parts
)
ROOMS = [config for config in apps.get_app_configs() if config.name.startswith("marketplace.")]
WRITES = {
    "save",
    "create",
    "update",
    "delete",
    "bulk_create",
    "bulk_update",
    "get_or_create",
    "update_or_create",
}
NOT_QUERYSETS = {"form", "serializer", "headers", "response", "context", "digest", "data", "self"}


def _name(path: Path) -> str:
    return str(path.relative_to(HOUSE))


@pytest.mark.parametrize("path", DOORS, ids=_name)
def test_doors_read_through_visible_to_and_never_write(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Attribute)
            and node.value.attr == "objects"
        ):
            assert node.attr in {"visible_to", "of_user"}, f"{path}:{node.lineno}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            on = node.func.value
            harmless = isinstance(on, ast.Name) and on.id in NOT_QUERYSETS
            assert node.func.attr not in WRITES or harmless, f"{path}:{node.lineno}"


@pytest.mark.parametrize(
    "path", sorted(HOUSE.glob("*/rules.py")) + sorted(HOUSE.glob("*/rules/*.py")), ids=_name
)
def test_rules_read_no_clock_and_no_unseeded_randomness(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute):
            read = ast.unparse(node)
            assert read not in {"datetime.now", "date.today", "time.time", "timezone.now"}, (
                f"{path}:{node.lineno}"
            )
            assert not read.startswith("random.") or read == "random.Random", (
                f"{path}:{node.lineno}"
            )


def test_every_event_is_on_the_switchboard():
    on_it = set(switchboard().reactions)
    told = {event for event in Event.__subclasses__() if ".tests." not in event.__module__}
    assert told == on_it


def test_every_reaction_has_its_own_name():
    names = [
        f"{event.label()}:{handler.__module__}.{handler.__name__}"
        for event, handlers in switchboard().reactions.items()
        for handler in handlers
    ]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("config", ROOMS, ids=lambda config: config.label)
def test_no_money_or_mass_is_a_float_and_no_moment_is_naive(config):
    for model in config.get_models():
        for field in model._meta.get_fields():
            assert not isinstance(field, models.FloatField), f"{model.__name__}.{field.name}"


@pytest.mark.parametrize("config", ROOMS, ids=lambda config: config.label)
def test_whoever_reads_a_room_passes_visible_to(config):
    own = [model for model in config.get_models() if not model._meta.abstract]
    for model in own:
        read_by_doors = any(f"{model.__name__}.objects" in path.read_text() for path in DOORS)
        if read_by_doors:
            assert hasattr(model.objects.all(), "visible_to"), model.__name__


def test_the_settings_name_every_room():
    rooms = {path.parent.name for path in HOUSE.glob("*/__init__.py")} - {"core", "locale"}
    assert {config.label for config in ROOMS} == rooms


def test_the_urls_and_switchboard_import():
    assert import_string("marketplace.urls.urlpatterns")
