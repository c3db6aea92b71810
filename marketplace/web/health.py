"""How healthy a lot is: tests and claims, shown with what is doubted, and two ways to add one."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_POST, require_safe

from marketplace.accounts.actors import Actor
from marketplace.deals import services as deals
from marketplace.deals.models import Deal
from marketplace.lots import services
from marketplace.lots.models import HealthClaim, Lot
from marketplace.lots.rules import health as rules
from marketplace.lots.rules.test_results import Said, grade

from .http import WebRequest, go, login_needed, page, refusals
from .sell import NumberField

DOUBTS = {
    rules.ABOVE_102: lazy("More than a new battery holds: not believed."),
    "window_not_full": lazy("It was not charged and emptied whole: not believed as a capacity."),
    "window_too_wide": lazy("It was charged or emptied beyond its limits: not believed."),
    "window_unknown": lazy("The cut-off voltages are not given, so its band is wider."),
    "full_charge_said": lazy("That it was full is said, not measured, so its band is wider."),
    "temperature_outside_15_35": lazy("Tested outside 15 to 35 °C, so its band is wider."),
    "temperature_unknown": lazy("The temperature is not given, so its band is wider."),
    "cells_of_pack_missing": lazy("Not every cell of the pack was measured."),
    "current_steps_few": lazy("Only one step of current."),
    "no_ohmic_intercept": lazy("The sweep does not reach the real axis."),
    "basis_not_told": lazy("It is not told what was measured."),
    "stale": lazy("It is old."),
    "undated": lazy("It has no date."),
}
NOTES = {
    "maker": lazy("Read as an export of %(found)s."),
    "decimal_comma": lazy("Commas were read as decimal signs."),
    "thousands_comma": lazy("Commas were read as separators of thousands."),
    "unit_converted": lazy("Column %(column)s is in %(found)s and was converted."),
    "unit_read_as": lazy("Column %(column)s names no unit; only %(found)s fits."),
    "sign_turned": lazy("Discharge was written as positive current and was turned."),
    "sign_from_state": lazy("The direction of the current was taken from %(column)s."),
    "step_times_added": lazy("The times of the steps were added up."),
    "time_repeats": lazy("Row %(row)s: the same time stands in two rows (%(found)s in all)."),
}
NOT_BELIEVED = lazy("Not believed: its figures contradict each other.")
WHY_NOT = {
    "basis": lazy("Not compared: they measure different things."),
    "level": lazy("Not compared: one is of the whole, the other of a part."),
}
WIDE, HIGH = 320, 140
SAY_ID = "say_%s"  # two forms stand on one page


@dataclass(frozen=True, slots=True)
class Drawing:
    """A line as an SVG ``points`` attribute, its corners in words, and the same as a table."""

    points: str
    low: float
    high: float
    end: float
    rows: tuple[tuple[float, float], ...]
    is_sweep: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """A claim as the page shows it."""

    claim: HealthClaim
    counts: bool
    believed: bool
    found: bool
    grade: str
    doubts: tuple[str, ...]
    notes: tuple[str, ...]
    drawing: Drawing | None
    difference: Decimal | None
    why_not: str


def panel(lot: Lot, actor: Actor) -> dict[str, Any]:
    """Return what ``web/lots/parts/health.html`` needs, for any page that shows the evidence of a lot."""
    claims = list(
        HealthClaim.objects.visible_to(actor)
        .filter(lot=lot)
        .select_related("tested_by")
        .order_by("-added_at", "-pk")
    )
    best = rules.best(claims)
    claimed = [claim for claim in claims if claim.tested_by_id == lot.seller_id]
    return {
        "health": [_shown(claim, lot, best, claimed) for claim in claims],
        "health_best": best,
        "may_add_health": _may_add(lot, actor),
    }


@require_safe
def health(request: WebRequest, pk: int) -> HttpResponse:
    """Show every test of a lot, and to its owner or buyer the two ways to add one."""
    return _page(request, _visible(request, pk), TestFileForm(), SayForm(auto_id=SAY_ID))


@login_needed
@require_POST
def health_file(request: WebRequest, pk: int) -> HttpResponse:
    """Read a test file, all of it or nothing."""
    lot, form = _visible(request, pk), TestFileForm(request.POST, request.FILES)
    if form.is_valid():
        record = services.record_test_file if _is_mine(lot, request) else deals.record_found_test
        with refusals(form):
            kept = record(
                lot,
                actor=request.actor,
                upload=form.cleaned_data["file"],
                said=form.said(),
                now=timezone.now(),
            )
            messages.success(
                request, _("Read. Look at what it says: %(many)s.") % {"many": _summary(kept)}
            )
            return go(request, "lot-health", pk)
    return _page(request, lot, form, SayForm(auto_id=SAY_ID), status=422)


@login_needed
@require_POST
def health_say(request: WebRequest, pk: int) -> HttpResponse:
    """Say a health without a file."""
    lot, form = _visible(request, pk), SayForm(request.POST, auto_id=SAY_ID)
    if form.is_valid():
        record = (
            services.record_health_claim if _is_mine(lot, request) else deals.record_found_health
        )
        with refusals(form):
            kept = record(lot, actor=request.actor, now=timezone.now(), **form.claim())
            messages.success(request, _("Kept: %(what)s.") % {"what": _summary([kept])})
            return go(request, "lot-health", pk)
    return _page(request, lot, TestFileForm(), form, status=422)


# --- forms --------------------------------------------------------------------------------------------
class TestFileForm(forms.Form):
    __test__ = False

    file = forms.FileField(
        label=lazy("Test file"),
        help_text=lazy("CSV or text, as your instrument exports it. At most 10 MB."),
        error_messages={
            "required": lazy("Choose the file of the test."),
            "empty": lazy("The file is empty. Choose it again."),
        },
    )
    tested = forms.ChoiceField(
        label=lazy("What was tested?"),
        choices=[("", lazy("As the file says")), *HealthClaim.Level.choices],
        required=False,
    )
    test = forms.ChoiceField(
        label=lazy("What kind of test?"),
        choices=[
            ("", lazy("As the file says")),
            ("capacity", lazy("Capacity test")),
            ("pulse", lazy("Pulse test")),
        ],
        required=False,
    )
    rated_ah = NumberField(
        label=lazy("Rated capacity"), help_text=lazy("It stands on the label."), required=False
    )
    rated_wh = NumberField(label=lazy("Rated energy"), required=False)
    rated_mohm = NumberField(label=lazy("Resistance when new"), required=False)
    cells_in_series = forms.IntegerField(
        label=lazy("Cells in series"), min_value=1, max_value=9999, required=False
    )
    low_v = NumberField(label=lazy("Stopped discharging at"), required=False)
    high_v = NumberField(label=lazy("Stopped charging at"), required=False)
    charged_fully = forms.BooleanField(
        label=lazy("It was charged fully before, though the file does not show it"), required=False
    )
    temperature_c = NumberField(label=lazy("Temperature"), required=False)
    instrument = forms.CharField(label=lazy("Instrument"), max_length=100, required=False)
    tested_on = forms.DateField(
        label=lazy("Day of the test"),
        widget=forms.DateInput(attrs={"type": "date"}),
        required=False,
    )

    def said(self) -> Said:
        """Return what the form says beside the file."""
        given = self.cleaned_data
        mohm, day = given["rated_mohm"], given["tested_on"]
        return Said(
            test=given["test"],
            tested=given["tested"],
            rated_ah=_float(given["rated_ah"]),
            rated_wh=_float(given["rated_wh"]),
            rated_ohm=None if mohm is None else float(mohm) / 1000,
            low_v=_float(given["low_v"]),
            high_v=_float(given["high_v"]),
            cells_in_series=given["cells_in_series"],
            temperature_c=_float(given["temperature_c"]),
            instrument=given["instrument"],
            tested_on="" if day is None else day.isoformat(),
            charged_fully=given["charged_fully"],
        )


class SayForm(forms.Form):
    UNCERTAIN = {"CAPACITY_TEST": Decimal("0.05"), "SAID": Decimal("0.10")}
    """Half the width of the band of a claim without its file. Our own assumption."""

    percent = NumberField(
        label=lazy("How much it still holds"),
        help_text=lazy("Of what it held when new. New is 100 %."),
        error_messages={"required": lazy("Write the health, such as 80.")},
    )
    how = forms.ChoiceField(
        label=lazy("How do you know?"),
        choices=[
            ("CAPACITY_TEST", lazy("Somebody charged and emptied it, and measured")),
            ("SAID", lazy("Its electronics, its papers or its owner say so")),
        ],
        widget=forms.RadioSelect,
        error_messages={"required": lazy("Choose how you know it.")},
    )
    level = forms.ChoiceField(
        label=lazy("What was tested?"),
        choices=HealthClaim.Level.choices,
        widget=forms.RadioSelect,
        error_messages={"required": lazy("Choose what was tested.")},
    )
    basis = forms.ChoiceField(
        label=lazy("Measured in"),
        choices=[("CAPACITY", lazy("Capacity (Ah)")), ("ENERGY", lazy("Energy (Wh)"))],
        initial="CAPACITY",
    )
    temperature_c = NumberField(label=lazy("Temperature"), required=False)
    instrument = forms.CharField(label=lazy("Instrument"), max_length=100, required=False)
    tested_on = forms.DateField(
        label=lazy("Day of the test"),
        widget=forms.DateInput(attrs={"type": "date"}),
        required=False,
    )

    def clean_percent(self) -> Decimal:
        percent: Decimal = self.cleaned_data["percent"]
        if 0 < percent <= Decimal("1.5"):
            raise forms.ValidationError(
                _("Write per cent: %(many)s for %(share)s.")
                % {"many": f"{(percent * 100).normalize():f}", "share": percent},
                code="share_for_percent",
            )
        if not 0 <= percent <= 150:
            raise forms.ValidationError(
                _("Write a health from 0 to 150 %."), code="health_out_of_range"
            )
        return percent

    def claim(self) -> dict[str, Any]:
        """Return the claim that the form makes."""
        given = self.cleaned_data
        day = given["tested_on"]
        return {
            "value": given["percent"] / 100,
            "uncertainty": self.UNCERTAIN[given["how"]],
            "basis": given["basis"],
            "level": given["level"],
            "method": given["how"],
            "instrument": given["instrument"],
            "temperature_c": given["temperature_c"],
            "tested_at": (
                None if day is None else datetime(day.year, day.month, day.day, tzinfo=UTC)
            ),
        }


# --- what is shown ------------------------------------------------------------------------------------
def _page(
    request: WebRequest, lot: Lot, file_form: TestFileForm, say_form: SayForm, *, status: int = 200
) -> HttpResponse:
    context = {"lot": lot, "file_form": file_form, "say_form": say_form}
    return page(request, "web/lots/health.html", context | panel(lot, request.actor), status=status)


def _visible(request: WebRequest, pk: int) -> Lot:
    rows = Lot.objects.visible_to(request.actor).select_related("chemistry", "seller")
    return get_object_or_404(rows, pk=pk)


def _is_mine(lot: Lot, request: WebRequest) -> bool:
    return lot.seller_id == request.actor.organisation_id


def _may_add(lot: Lot, actor: Actor) -> bool:
    """Tell whether a form makes sense; the services ask again."""
    if lot.seller_id == actor.organisation_id:
        return lot.status in services.EDITABLE
    if actor.organisation_id is None:
        return False
    return (
        Deal.objects.visible_to(actor)
        .filter(lot=lot, buyer_id=actor.organisation_id, status__in=deals.ARRIVED)
        .exists()
    )


def _shown(
    claim: HealthClaim, lot: Lot, best: HealthClaim | None, claimed: list[HealthClaim]
) -> Shown:
    found = claim.tested_by_id != lot.seller_id
    against = claimed if found else []
    alike = next((one for one in against if rules.comparable(claim, one)), None)
    why = rules.why_not(claim, against[0]) if against and alike is None else ""
    return Shown(
        claim=claim,
        counts=best is not None and claim.pk == best.pk,
        believed=rules.believed(claim.doubts),
        found=found,
        grade=grade(float(claim.value)) if claim.basis in rules.BASES else "",
        doubts=tuple(str(DOUBTS.get(doubt, NOT_BELIEVED)) for doubt in claim.doubts),
        notes=tuple(
            str(NOTES[note["code"]]) % note
            for note in claim.details.get("notes", [])
            if note.get("code") in NOTES
        ),
        drawing=_drawing(claim),
        difference=None if alike is None else (claim.value - alike.value) * 100,
        why_not=str(WHY_NOT[why]) if why else "",
    )


def _drawing(claim: HealthClaim) -> Drawing | None:
    curve = [(float(x), float(y)) for x, y in claim.details.get("curve", [])]
    if len(curve) < 2:
        return None
    across = [x for x, _y in curve]
    up = [y for _x, y in curve]
    left, right, low, high = min(across), max(across), min(up), max(up)
    if left == right or low == high:
        return None
    points = " ".join(
        f"{(x - left) / (right - left) * WIDE:.1f},{HIGH - (y - low) / (high - low) * HIGH:.1f}"
        for x, y in curve
    )
    every = max(1, len(curve) // 12)
    is_sweep = claim.method == "IMPEDANCE"
    times = 1000 if is_sweep else 1  # milliohms are what people compare
    rows = tuple((x * times, y * times) for x, y in curve[::every])
    return Drawing(points, low, high, right, rows, is_sweep)


def _summary(claims: list[HealthClaim]) -> str:
    return ", ".join(
        f"{claim.value * 100:.1f} % {claim.get_basis_display()}, {claim.get_level_display()}"
        if claim.basis in rules.BASES
        else f"{claim.value:.2f} × {claim.get_basis_display()}"
        for claim in claims
    )


def _float(number: Decimal | None) -> float | None:
    return None if number is None else float(number)
