"""Bring the reference tables up to the files that we compiled. Prices are only ever added."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db import models, transaction
from django.utils.translation import gettext as _

from marketplace.core.errors import Refused
from marketplace.core.locks import lock_word
from marketplace.reference.models import (
    Chemistry,
    ChemistryMaterial,
    ChemistryPrior,
    Country,
    CurrencyRate,
    DangerousGoodsRule,
    DriverHours,
    EmissionFactor,
    LicenceType,
    LithiumPointQuote,
    MetalQuote,
    PackingInstruction,
    PackModel,
    Parameter,
    PayableTerm,
    RecoveryRate,
    ReuseGate,
    SecondLifePrice,
    Source,
    Sourced,
    SpecialProvision,
    TruckKind,
    UnEntry,
)

PRICES = ("price_usd_per_kg", "per_usd", "low", "high")  # what a row of an append-only table says
DATA = Path(__file__).resolve().parents[1] / "data"


class RowRefused(Refused):
    code = "reference_row_refused"


class QuoteChanged(Refused):
    code = "quote_changed"


@dataclass(frozen=True, slots=True)
class Table:
    """A file of rows, the table it fills, and what makes a row the same row."""

    file: str
    model: type[models.Model]
    key: tuple[str, ...]
    append_only: bool = False


@dataclass(frozen=True, slots=True)
class Loaded:
    """What loading one table did."""

    table: str
    added: int
    changed: int
    unchanged: int


TABLES = (
    Table("sources.csv", Source, ("code",)),
    Table("countries.csv", Country, ("code",)),
    Table("chemistries.csv", Chemistry, ("code",)),
    Table("chemistry_materials.csv", ChemistryMaterial, ("chemistry_id", "material")),
    Table(
        "chemistry_priors.csv",
        ChemistryPrior,
        ("origin", "country", "made_from", "chemistry_id"),
    ),
    Table("recovery_rates.csv", RecoveryRate, ("process", "material")),
    Table("metal_quotes.csv", MetalQuote, ("material", "quoted_on", "source_id"), append_only=True),
    Table(
        "currency_rates.csv",
        CurrencyRate,
        ("currency", "quoted_on", "source_id"),
        append_only=True,
    ),
    Table(
        "lithium_point_quotes.csv",
        LithiumPointQuote,
        ("market", "feed_form", "quoted_on", "source_id"),
        append_only=True,
    ),
    Table("un_entries.csv", UnEntry, ("un_number",)),
    Table("packing_instructions.csv", PackingInstruction, ("code",)),
    Table("special_provisions.csv", SpecialProvision, ("code",)),
    Table(
        "dangerous_goods_rules.csv",
        DangerousGoodsRule,
        ("condition", "goods", "mode", "rule_edition"),
    ),
    Table("licence_types.csv", LicenceType, ("code",)),
    Table("pack_models.csv", PackModel, ("maker", "model")),
    Table("second_life_prices.csv", SecondLifePrice, ("region", "item", "grade", "observed_on")),
    Table(
        "payable_terms.csv",
        PayableTerm,
        ("feed", "material", "market", "valid_from", "includes_lithium"),
    ),
    Table("emission_factors.csv", EmissionFactor, ("code",)),
    Table("reuse_gates.csv", ReuseGate, ("code",)),
    Table("truck_kinds.csv", TruckKind, ("code",)),
    Table("driver_hours.csv", DriverHours, ("code",)),
    Table("parameters.csv", Parameter, ("code", "valid_from")),
)


@transaction.atomic
def load_reference(folder: Path = DATA) -> list[Loaded]:
    """Bring the reference tables up to the compiled files. Running it again changes nothing.

    Rows that are not in the files stay: an operator may have added them.

    :raises RowRefused: if a row has no source, or a value that does not fit
    :raises QuoteChanged: if a file says another price for a day than any that was ever said
    """
    lock_word("load_reference")
    loaded = [_load(table, folder / table.file) for table in TABLES]
    _refuse_priors_that_do_not_make_one()
    return loaded


def _load(table: Table, file: Path) -> Loaded:
    sources = set(Source.objects.values_list("code", flat=True))
    rows = []
    for number, text in _rows(file):
        row = _parse(table.model, text, file.name, number)
        if isinstance(row, Sourced) and row.source_id not in sources:
            raise _refused(file.name, number, _("the source is not in sources.csv"))
        rows.append(row)
    return _store(table, rows)


def _store(table: Table, rows: list[Any]) -> Loaded:
    """Write what is new or different, and nothing else."""
    model = table.model
    compared = [
        field.attname
        for field in model._meta.concrete_fields
        if field.attname not in table.key and not (field.primary_key and field.attname == "id")
    ]
    there: dict[tuple[object, ...], list[Any]] = {}
    for row in model._default_manager.order_by("pk"):
        there.setdefault(_values(row, table.key), []).append(row)
    added, changed, seen = [], [], set()
    for row in rows:
        key = _values(row, table.key)
        if key in seen:
            raise RowRefused(
                _("%(table)s has two rows for %(key)s. Keep one.")
                % {"table": table.file, "key": ", ".join(map(str, key))}
            )
        seen.add(key)
        old = there.get(key)
        if old is None:
            added.append(row)
        elif table.append_only:
            _refuse_another_price(old, row, key)
        elif _values(old[0], compared) != _values(row, compared):
            row.pk = old[0].pk
            changed.append(row)
    model._default_manager.bulk_create(added, batch_size=500)
    if changed:
        model._default_manager.bulk_update(changed, compared, batch_size=500)
    return Loaded(
        model._meta.db_table, len(added), len(changed), len(rows) - len(added) - len(changed)
    )


def _refuse_another_price(old: list[Any], row: Any, key: tuple[object, ...]) -> None:
    """Let a price pass that once stood, even if its source has since corrected it."""
    prices = [name for name in PRICES if hasattr(row, name)]
    if not any(_values(one, prices) == _values(row, prices) for one in old):
        raise QuoteChanged(
            _("%(key)s is already quoted at %(old)s, not %(new)s. Add a row with a new source.")
            % {
                "key": ", ".join(map(str, key)),
                "old": "–".join(map(str, _values(old[-1], prices))),
                "new": "–".join(map(str, _values(row, prices))),
            }
        )


def _refuse_priors_that_do_not_make_one() -> None:
    periods = ChemistryPrior.objects.values("origin", "country", "made_from", "made_to")
    for period in periods.annotate(whole=models.Sum("share")).order_by("origin", "made_from"):
        if period["whole"] != 1:
            raise RowRefused(
                _(
                    "%(file)s: the shares of %(origin)s %(country)s from %(made_from)s make "
                    "%(whole)s, not 1. Correct the rows and load again."
                )
                % {"file": "chemistry_priors.csv", **period}
            )


def _values(row: models.Model, names: Iterable[str]) -> tuple[object, ...]:
    return tuple(
        tuple(value) if isinstance(value := getattr(row, name), list) else value for name in names
    )


def _rows(file: Path) -> Iterator[tuple[int, dict[str, str]]]:
    with file.open(encoding="utf-8", newline="") as lines:
        yield from enumerate(csv.DictReader(lines), start=2)


def _parse(
    model: type[models.Model], row: Mapping[str, Any], file: str, number: int
) -> models.Model:
    """Make an unsaved row of text, one value per field; ``|`` parts the members of a list."""
    row = dict(row)
    parsed = model()
    if hasattr(model, "source_id") and not row.get("source"):
        raise _refused(file, number, _("say where it comes from"))
    for name, text in row.items():
        try:
            field = model._meta.get_field(name)
            if not isinstance(field, models.Field):
                raise FieldDoesNotExist(name)
            setattr(parsed, field.attname, _value(field, (text or "").strip()))
        except (ValidationError, FieldDoesNotExist, InvalidOperation) as trouble:
            reason = "; ".join(getattr(trouble, "messages", [str(trouble)]))
            raise _refused(file, number, f"{name}: {reason}") from trouble
    return parsed


def _value(field: Any, text: str) -> Any:
    if isinstance(field, models.ForeignKey):
        return text or None
    if isinstance(field, ArrayField):
        return field.clean([part for part in text.split("|") if part], None)
    if text == "" and field.null:
        return None
    value = field.to_python(text)
    if isinstance(field, models.DecimalField):
        value = value.quantize(Decimal(1).scaleb(-field.decimal_places))
    return field.clean(value, None)


def _refused(file: str, number: int, reason: str) -> RowRefused:
    return RowRefused(
        _("%(file)s, line %(number)s: %(reason)s. Correct the row and load again.")
        % {"file": file, "number": number, "reason": reason}
    )
