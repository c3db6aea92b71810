"""What proves what a lot is: the codes on it, its battery passports, the tests of its health."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from marketplace.lots import services
from marketplace.lots.models import Lot, LotIdentifier, LotPassport
from marketplace.lots.rules import identifiers as codes
from marketplace.lots.rules import passports as rules

from .health import panel as health_panel
from .http import Keyset, WebRequest, go, login_needed, page, refusals

FACTS = {
    "maker": lazy("Maker"),
    "maker_code": lazy("Maker's code"),
    "product": lazy("Product"),
    "chemistry": lazy("Kind"),
    "made_on": lazy("Made on"),
    "serial": lazy("Serial number"),
    "batch": lazy("Batch"),
    "gtin": lazy("Trade number (GTIN)"),
    "asset": lazy("Asset number"),
    "country": lazy("Country"),
    "host": lazy("Address of"),
}
WORDS = {
    "PACK": lazy("Pack"),
    "MODULE": lazy("Module"),
    "CELL": lazy("Cell"),
    "TERNARY": lazy("NMC or NCA"),
    "PBA": lazy("Lead-acid"),
    "NIMH": lazy("Nickel-metal hydride"),
    "NICD": lazy("Nickel-cadmium"),
    "NAION": lazy("Sodium-ion"),
    "LMT": lazy("Light vehicle"),
    "EV": lazy("Electric vehicle"),
    "INDUSTRIAL": lazy("Industrial"),
    "STATIONARY": lazy("Stationary storage"),
    "SLI": lazy("Starter"),
    "PORTABLE": lazy("Portable"),
    "INCORPORATED": lazy("Built in"),
    "ORIGINAL": lazy("Original"),
    "REPURPOSED": lazy("Repurposed"),
    "REUSED": lazy("Reused"),
    "REMANUFACTURED": lazy("Remanufactured"),
    "WASTE": lazy("Waste"),
}
CODE_DOUBTS = {
    codes.Doubt.LOOKS_LIKE_GBT: lazy(
        "24 letters like a Chinese battery code, but the fourth or fifth cannot be right. Read it again."
    ),
    codes.Doubt.LETTERS_BREAK_THE_RULE: lazy("Some letters break the rule of this code."),
    codes.Doubt.CHEMISTRY_LETTER_UNVERIFIED: lazy(
        "Its letter for the kind is not reliable, so the code does not tell the kind."
    ),
    codes.Doubt.DATE_UNREADABLE: lazy("No day can be read from it."),
    codes.Doubt.MADE_IN_THE_FUTURE: lazy("Its day of manufacture lies in the future."),
    codes.Doubt.REUSED_PRODUCT: lazy(
        "The code of a reused battery. Add the code of its first life too."
    ),
    codes.Doubt.DRAFT_STANDARD: lazy("This code is a draft, not yet law."),
    codes.Doubt.CHECK_DIGIT_WRONG: lazy("Its check digit is wrong. Read it again."),
    codes.Doubt.NO_SINGLE_UNIT: lazy("It names a product, not this single battery."),
    codes.Doubt.NOT_ENCRYPTED: lazy("Its address is not https, as a passport's must be."),
    codes.Doubt.CHEMISTRY_CONTRADICTS_CODE: lazy(
        "It says another kind than you chose. Look at the label again, and correct the kind or the code."
    ),
    codes.Doubt.CODE_ON_ANOTHER_LOT: lazy("Another lot carries the same code."),
}
NOT_FOR_OWNER = {
    codes.Doubt.CHEMISTRY_CONTRADICTS_CODE: lazy("It says another kind than the seller does."),
}
FIELDS = {
    "passport_id": lazy("Passport number"),
    "unit_id": lazy("Number of the battery"),
    "model": lazy("Model"),
    "batch": lazy("Batch"),
    "category": lazy("Category"),
    "chemistry": lazy("Kind"),
    "status": lazy("Status"),
    "maker": lazy("Maker"),
    "operator": lazy("Responsible operator"),
    "made_on": lazy("Made on"),
    "made_in": lazy("Made in"),
    "in_service_on": lazy("In service since"),
    "mass_kg": lazy("Weight"),
    "length_mm": lazy("Length"),
    "width_mm": lazy("Width"),
    "height_mm": lazy("Height"),
    "warranty_text": lazy("Warranty"),
    "warranty_months": lazy("Warranty"),
    "rated_capacity_ah": lazy("Rated capacity"),
    "rated_energy_kwh": lazy("Rated energy"),
    "nominal_volts": lazy("Nominal voltage"),
    "least_volts": lazy("Lowest voltage"),
    "most_volts": lazy("Highest voltage"),
    "rated_power_kw": lazy("Rated power"),
    "exhaustion_percent": lazy("Counts as used up at"),
    "expected_cycles": lazy("Expected cycles"),
    "expected_years": lazy("Expected life"),
    "rated_resistance_ohm": lazy("Resistance when new"),
    "round_trip_percent": lazy("Round-trip efficiency when new"),
    "idle_from_c": lazy("Store above"),
    "idle_to_c": lazy("Store below"),
    "certified_energy_percent": lazy("Health (certified energy)"),
    "health_percent": lazy("Health"),
    "remaining_capacity_ah": lazy("Capacity left"),
    "capacity_fade_percent": lazy("Capacity lost"),
    "remaining_energy_kwh": lazy("Energy left"),
    "full_cycles": lazy("Full cycles so far"),
    "energy_throughput_kwh": lazy("Energy delivered so far"),
    "capacity_throughput_ah": lazy("Charge delivered so far"),
    "resistance_increase_percent": lazy("Resistance gained"),
    "remaining_power_kw": lazy("Power left"),
    "power_fade_percent": lazy("Power lost"),
    "self_discharge_percent": lazy("Self-discharge"),
    "charge_percent": lazy("State of charge"),
    "negative_events": lazy("What happened to it"),
    "too_hot_minutes": lazy("Time too hot"),
    "too_cold_minutes": lazy("Time too cold"),
    "materials": lazy("Materials"),
    "hazardous_substances": lazy("Hazardous substances"),
    "recycled_content": lazy("Recycled content"),
    "dismantling": lazy("Papers and dismantling"),
    "extinguisher": lazy("Extinguish with"),
    "carbon_kg_per_kwh": lazy("Carbon footprint"),
    "edition": lazy("Edition"),
}
DOUBTED = {"signature": lazy("Signature")}
PASSPORT_DOUBTS = {
    "signature_wrong": lazy("It does not fit: somebody changed the passport, or another signed."),
    "absurd": lazy("No battery has such a value."),
    "above_102_percent": lazy("More than a new battery holds."),
    "amount_contradicts_lot": lazy("It differs by more than 40 % from what the seller says."),
    "chemistry_ambiguous": lazy("It names several kinds."),
    "chemistry_contradicts_lot": lazy("It says another kind than the seller does."),
    "chemistry_unknown": lazy("We do not know this kind."),
    "cut": lazy("The text is cut off here; the original is kept whole."),
    "date_impossible": lazy("There is no such day."),
    "edition_unknown": lazy("We do not know this edition and read it like the nearest one."),
    "energy_disagrees_with_capacity": lazy(
        "Energy and capacity do not belong together at this voltage."
    ),
    "fraction_for_percent": lazy("Looks like a share where per cent are meant."),
    "g_for_kg": lazy("Looks like grams where kilograms are meant."),
    "health_disagrees": lazy("Two values that say how healthy it is contradict each other."),
    "in_the_future": lazy("This day lies in the future."),
    "kg_for_g": lazy("Looks like kilograms where grams are meant."),
    "kwh_for_ah": lazy("Looks like kWh where Ah are meant, a known fault of the data model."),
    "mass_disagrees_with_energy": lazy("Weight and energy do not belong together."),
    "negative": lazy("Below zero."),
    "not_a_number": lazy("Not a number."),
    "not_a_word": lazy("Nothing readable."),
    "not_this_unit": lazy("The passport is of a model or batch, not of this single battery."),
    "remaining_over_rated": lazy("More is left than there ever was."),
    "space_around": lazy("Spaces around it were removed."),
    "stale": lazy("Older than two years."),
    "undated": lazy("It is not said when this was measured."),
    "unit_unknown": lazy("We do not know this unit."),
    "voltages_out_of_order": lazy("Lowest, nominal and highest voltage are out of order."),
    "wh_for_kwh": lazy("Looks like Wh where kWh are meant."),
    "word_unknown": lazy("We do not know this word."),
    "wrong_cas": lazy("A substance number has a wrong check digit."),
}
COUNTS = frozenset({"expected_cycles", "full_cycles"})
DAYS = frozenset({"made_on", "in_service_on"})
NAMES = (
    "negativeEvent",
    "batteryMaterialName",
    "hazardousSubstanceName",
    "recycledMaterial",
    "materialName",
    "name",
    "linkName",
    "header",
    "title",
    "documentType",
)
"""What the formats call an entry of a list."""
ENTRIES_SHOWN = 10
CODES_SHOWN = 50


@dataclass(frozen=True, slots=True)
class ShownCode:
    row: LotIdentifier
    value: str
    facts: tuple[tuple[str, str, date | None], ...]
    doubts: tuple[str, ...]
    is_bad: bool


@dataclass(frozen=True, slots=True)
class ShownField:
    label: str
    text: str
    number: Decimal | None
    day: date | None
    unit: str
    as_of: datetime | None
    believed: bool
    entries: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ShownPassport:
    row: LotPassport
    fields: tuple[ShownField, ...]
    wrong: tuple[tuple[str, str], ...]
    noted: tuple[tuple[str, str], ...]


class CodesForm(forms.Form):
    codes = forms.CharField(
        label=lazy("Codes"),
        help_text=lazy("One a line, as printed. Capitals, spaces and dashes do not matter."),
        max_length=60_000,
        widget=forms.Textarea(
            attrs={"rows": 4, "autocapitalize": "characters", "spellcheck": "false"}
        ),
        error_messages={"required": lazy("Write at least one code.")},
    )
    read = forms.ChoiceField(
        choices=[("TYPED", ""), ("CAMERA", "")], initial="TYPED", widget=forms.HiddenInput
    )

    def clean_codes(self) -> list[str]:
        return [line for line in self.cleaned_data["codes"].splitlines() if line.strip()]


class PassportForm(forms.Form):
    passport = forms.FileField(
        label=lazy("Passport file"),
        required=False,
        help_text=lazy("JSON, at most 5 MB: BatteryPass 1.2, Catena-X battery_pass or UNTP 0.7.0."),
        error_messages={"empty": lazy("This file is empty. Choose it again.")},
    )
    text = forms.CharField(
        label=lazy("Or paste its text"),
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false"}),
    )

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if not self.errors and not given.get("passport") and not given.get("text", "").strip():
            self.add_error("passport", _("Choose the file, or paste the text of the passport."))
        return given


@require_safe
def evidence(request: WebRequest, pk: int) -> HttpResponse:
    """Everything that proves what a lot is, for whoever may see it."""
    return _show(request, _visible(request, pk))


@login_needed
@require_POST
def add_codes(request: WebRequest, pk: int) -> HttpResponse:
    """Keep codes, all of them or none."""
    lot, form = _visible(request, pk), CodesForm(request.POST)
    if form.is_valid():
        with refusals(form):
            kept = services.add_identifiers(
                lot,
                actor=request.actor,
                texts=form.cleaned_data["codes"],
                read=form.cleaned_data["read"],
                now=timezone.now(),
            )
            said = ngettext("%(many)s code is kept.", "%(many)s codes are kept.", len(kept))
            messages.success(request, said % {"many": len(kept)})
            return go(request, "lot-evidence", pk)
    return _show(request, lot, codes_form=form)


@login_needed
@require_POST
def add_passport(request: WebRequest, pk: int) -> HttpResponse:
    """Keep a battery passport, whole or not at all."""
    lot, form = _visible(request, pk), PassportForm(request.POST, request.FILES)
    if form.is_valid():
        with refusals(form):
            services.import_passport(
                lot,
                actor=request.actor,
                given=form.cleaned_data["passport"] or form.cleaned_data["text"],
                now=timezone.now(),
            )
            messages.success(request, _("The passport is kept. Look at what was read from it."))
            return go(request, "lot-evidence", pk)
    return _show(request, lot, passport_form=form)


def _visible(request: WebRequest, pk: int) -> Lot:
    rows = Lot.objects.visible_to(request.actor).select_related("chemistry", "seller")
    return get_object_or_404(rows, pk=pk)


def _show(
    request: WebRequest,
    lot: Lot,
    *,
    codes_form: CodesForm | None = None,
    passport_form: PassportForm | None = None,
) -> HttpResponse:
    actor = request.actor
    is_mine = actor.organisation_id == lot.seller_id
    found = LotIdentifier.objects.visible_to(actor).filter(lot=lot)
    listed = Keyset(found, "pk", size=CODES_SHOWN, after=request.GET.get("after"))
    passports = LotPassport.objects.visible_to(actor).filter(lot=lot).defer("original", "token")
    context = {
        "lot": lot,
        "is_mine": is_mine,
        "may_add": is_mine and lot.status in services.EDITABLE,
        "listed": listed,
        "codes": [_code(row, request, is_mine=is_mine) for row in listed],
        "passports": [_passport(row) for row in passports.order_by("-pk")],
        "codes_form": codes_form or CodesForm(),
        "passport_form": passport_form or PassportForm(),
    } | health_panel(lot, actor)
    is_refused = codes_form is not None or passport_form is not None
    return page(request, "web/lots/evidence.html", context, status=422 if is_refused else 200)


def _code(row: LotIdentifier, request: WebRequest, *, is_mine: bool) -> ShownCode:
    words = CODE_DOUBTS if is_mine else CODE_DOUBTS | NOT_FOR_OWNER
    told = row.told_for(request.actor)
    return ShownCode(
        row=row,
        value=row.value_for(request.actor),
        facts=tuple(
            (str(label), str(WORDS.get(told[fact], told[fact])), _day(fact, told[fact]))
            for fact, label in FACTS.items()
            if fact in told
        ),
        doubts=tuple(str(words[codes.Doubt(doubt)]) for doubt in row.doubts),
        is_bad=not {"chemistry_contradicts_code", "code_on_another_lot"}.isdisjoint(row.doubts),
    )


def _day(fact: str, said: Any) -> date | None:
    """Return the day that a fact is, so that it is written as the reader writes days."""
    return parse_day(said) if fact in DAYS and isinstance(said, str) else None


def parse_day(text: str) -> date | None:
    try:
        return parse_date(text)
    except ValueError:  # 31 February
        return None


def _passport(row: LotPassport) -> ShownPassport:
    wrong: dict[str, list[str]] = {}
    noted: dict[str, list[str]] = {}
    for doubt in row.doubts:
        label = str(FIELDS.get(doubt["field"], DOUBTED.get(doubt["field"], doubt["field"])))
        words = str(PASSPORT_DOUBTS.get(doubt["code"], doubt["code"]))
        if doubt["code"] in rules.SOFT:  # often the same of many fields: the doubt comes first
            noted.setdefault(words, []).append(label)
        else:
            wrong.setdefault(label, []).append(words)
    return ShownPassport(
        row=row,
        fields=tuple(_field(name, row.read[name]) for name in FIELDS if name in row.read),
        wrong=tuple((label, " ".join(dict.fromkeys(said))) for label, said in wrong.items()),
        noted=tuple((words, ", ".join(dict.fromkeys(of))) for words, of in noted.items()),
    )


def _field(name: str, read: dict[str, Any]) -> ShownField:
    value, as_of = read["value"], read["as_of"]
    is_list = isinstance(value, list)
    number = (
        None if is_list or (not read["unit"] and name not in COUNTS) else rules.number_in(value)
    )
    return ShownField(
        label=str(FIELDS[name]),
        text="" if is_list else str(WORDS.get(value, value)),
        number=number,
        day=_day(name, value),
        unit=read["unit"],
        as_of=datetime.fromisoformat(as_of) if as_of else None,
        believed=read["believed"],
        entries=tuple(_entry(entry) for entry in value[:ENTRIES_SHOWN]) if is_list else (),
    )


def _entry(entry: dict[str, str]) -> str:
    """Return what an entry of a list is called, and since when; all of it stands in the original."""
    name = next((entry[key] for key in NAMES if entry.get(key)), "") or next(
        iter(entry.values()), ""
    )
    return " · ".join(filter(None, [name, entry.get("lastUpdate", "")[:10]]))
