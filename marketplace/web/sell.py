"""The intake: one question a page, every answer kept on the server, nothing that needs a script."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_http_methods, require_POST

from marketplace.accounts.actors import ANONYMOUS
from marketplace.accounts.capabilities import Capability
from marketplace.lots import queries, rules, services
from marketplace.lots.models import Lot, LotPhoto
from marketplace.reference.models import Chemistry, Country
from marketplace.reference.queries import City, search_cities

from .http import WebRequest, go, login_needed, page, refusals, told
from .templatetags.house import locale

STEPS = ("photos", "origin", "chemistry", "amount", "place", "safety", "check")
PART = {  # which of the five parts of the battery a page belongs to
    "photos": 1,
    "origin": 2,
    "chemistry": 2,
    "amount": 3,
    "place": 4,
    "safety": 5,
    "check": 5,
}
ADD = ("1", "10", "50")
TOWNS_SHOWN = 12

ORIGIN_ICONS = {
    "SCOOTER": "motorbike",
    "RICKSHAW": "rickshaw",
    "CAR": "car-front",
    "STARTER": "car-battery",
    "BUS": "bus",
    "HOME": "house",
    "TELECOM": "radio-tower",
    "DEVICE": "smartphone",
    "TOOL": "drill",
    "MIXED": "boxes",
}
SIGNS = {
    "swollen": lazy("Swollen or bulging"),
    "hot": lazy("Hot, smoking or hissing"),
    "wet": lazy("Wet, leaking or soaked"),
    "smell": lazy("A sweet or sharp smell"),
    "dented": lazy("Dented or crushed"),
    "cut": lazy("Cut, pierced or open"),
}
MAIN_CHEMISTRIES = ("LFP", "NMC532", "LCO", "PBA", "NIMH")
UNKNOWN = "UNKNOWN"
PRICED = {  # what "check my price" hands over, and the page that it answers beforehand
    "origin": "origin",
    "chemistry": "chemistry",
    "mass_kg": "amount",
    "units": "amount",
}


class NumberField(forms.Field):
    """A number as people type it: digits of any script, the reader's own decimal sign."""

    widget = forms.TextInput
    default_error_messages = {"invalid": lazy("Write a number, such as 12 or 12.5.")}

    def to_python(self, value: Any) -> Decimal | None:
        if value in self.empty_values:
            return None
        sign = "," if locale().number_symbols["latn"]["decimal"] == "," else "."
        number = rules.number_from(str(value)[:40], decimal_sign=sign)
        if number is None:
            raise forms.ValidationError(self.error_messages["invalid"], code="not_a_number")
        return number

    def prepare_value(self, value: Any) -> Any:
        return f"{value.normalize():f}" if isinstance(value, Decimal) else value


class PhotoForm(forms.Form):
    whole = forms.FileField(label=lazy("All of it"), required=False)
    label = forms.FileField(label=lazy("The label"), required=False)
    terminals = forms.FileField(label=lazy("The terminals"), required=False)
    photo = forms.CharField(required=False, widget=forms.HiddenInput)  # where refusals are shown


class OriginForm(forms.Form):
    origin = forms.ChoiceField(
        label=lazy("What did they come from?"),
        choices=Lot.Origin.choices,
        widget=forms.RadioSelect,
        error_messages={"required": lazy("Choose what the batteries came from.")},
    )


class ChemistryForm(forms.Form):
    chemistry = forms.CharField(
        label=lazy("What kind is it?"),
        error_messages={"required": lazy("Choose the kind, or “I do not know”.")},
    )

    def clean_chemistry(self) -> Chemistry | None:
        code = self.cleaned_data["chemistry"]
        if code == UNKNOWN:
            return None
        kind = Chemistry.objects.visible_to(ANONYMOUS).filter(code=code).first()
        if kind is None:
            raise forms.ValidationError(_("Choose the kind, or “I do not know”."), code="unknown")
        return kind


class AmountForm(forms.Form):
    mass_kg = NumberField(
        label=lazy("Weight"),
        required=False,
        help_text=lazy("From a scale. The buyer weighs again with you."),
    )
    units = NumberField(
        label=lazy("How many"), required=False, help_text=lazy("Single batteries or packs.")
    )
    energy_kwh = NumberField(
        label=lazy("Energy"), required=False, help_text=lazy("As printed on the labels, added up.")
    )
    state_of_health = NumberField(
        label=lazy("Health"),
        required=False,
        help_text=lazy("Only if somebody measured it: share of the rated capacity that is left."),
    )

    def clean_units(self) -> int | None:
        units = self.cleaned_data["units"]
        if units is None:
            return None
        if units != int(units):
            raise forms.ValidationError(_("Write a whole number."), code="not_whole")
        return int(units)


class TownForm(forms.Form):
    country = forms.CharField(max_length=2, widget=forms.HiddenInput)
    geoname_id = forms.IntegerField(
        label=lazy("Town"), error_messages={"required": lazy("Choose a town from the list.")}
    )


class SafetyForm(forms.Form):
    signs = forms.MultipleChoiceField(
        label=lazy("What do you see?"), choices=list(SIGNS.items()), required=False
    )
    none = forms.BooleanField(label=lazy("None of these"), required=False)

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if not given.get("signs") and not given.get("none") and not self.errors:
            self.add_error("signs", _("Tap what you see, or “None of these”."))
        if given.get("signs") and given.get("none"):
            self.add_error("signs", _("Take back “None of these”, or the signs."))
        return given


class DeclarationForm(forms.Form):
    declared = forms.BooleanField(
        label=lazy(
            "These batteries are mine, or I may sell them for their owner. What I said is true."
        ),
        error_messages={"required": lazy("Tick this to hand the lot in.")},
    )


FORMS: dict[str, type[forms.Form]] = {
    "photos": PhotoForm,
    "origin": OriginForm,
    "chemistry": ChemistryForm,
    "amount": AmountForm,
    "place": TownForm,
    "safety": SafetyForm,
    "check": DeclarationForm,
}


@dataclass(frozen=True, slots=True)
class Pick:
    """A tile to press: a value, a word, and a picture."""

    value: str
    label: str
    icon: str = ""
    chemistry: Chemistry | None = None


@login_needed
@require_http_methods(["GET", "HEAD", "POST"])
def start(request: WebRequest) -> HttpResponse:
    """Begin a lot. The id in the form makes a double tap begin one lot."""
    if not request.actor.may(Capability.LOT_LIST):
        raise PermissionDenied
    form = StartForm(request.POST or None, initial={"request_id": uuid4()})
    if answers := {name: request.GET[name][:20] for name in PRICED if name in request.GET}:
        request.session["priced"] = {"lot": None, "answers": answers}
    if request.method == "POST" and form.is_valid():
        with refusals(form):
            lot = services.start_lot(actor=request.actor, now=timezone.now(), **form.cleaned_data)
            if (priced := request.session.get("priced")) and priced["lot"] is None:
                request.session["priced"] = {**priced, "lot": lot.pk}
            return go(request, "sell-step", lot.pk, "photos")
    drafts = (
        Lot.objects.visible_to(request.actor)
        .filter(seller_id=request.actor.organisation_id, status=Lot.Status.DRAFT)
        .select_related("chemistry")
        .order_by("-pk")
    )
    context = {"form": form, "drafts": drafts[:5]}
    return page(request, "web/sell/start.html", context, status=422 if form.errors else 200)


class StartForm(forms.Form):
    request_id = forms.UUIDField(widget=forms.HiddenInput)


@login_needed
@require_http_methods(["GET", "HEAD", "POST"])
def step(request: WebRequest, pk: int, name: str) -> HttpResponse:
    """Show one question, or keep its answer and go on to the next."""
    if name not in STEPS:
        raise Http404
    lot = _mine(request, pk)
    if lot.status == Lot.Status.QUARANTINED or lot.status not in services.EDITABLE:
        return go(request, "lot", lot.pk)
    if request.method != "POST":
        form = FORMS[name](initial=_priced(request, lot, name) | _known(_initial(lot, name)))
        return _show(request, lot, name, form)
    form = FORMS[name](request.POST, request.FILES)
    if name == "amount" and (sum_form := _added(request, form)) is not None:
        return _show(request, lot, name, sum_form)
    if form.is_valid():
        with refusals(form):
            lot = _keep(request, lot, name, form)
            return _onward(request, lot, name)
    return _show(request, lot, name, form, status=422)


@login_needed
@require_POST
def photo_remove(request: WebRequest, pk: int, photo_pk: int) -> HttpResponse:
    lot = _mine(request, pk)
    photo = get_object_or_404(lot.photos.all(), pk=photo_pk)
    with told(request):
        services.remove_photo(photo, actor=request.actor, now=timezone.now())
    return go(request, "sell-step", lot.pk, "photos")


def _mine(request: WebRequest, pk: int) -> Lot:
    mine = Lot.objects.visible_to(request.actor).filter(seller_id=request.actor.organisation_id)
    return get_object_or_404(mine.select_related("chemistry"), pk=pk)


def _priced(request: WebRequest, lot: Lot, name: str) -> dict[str, Any]:
    """Return what was answered when the price was checked, as a proposal: the seller still presses Next."""
    priced = request.session.get("priced")
    if not priced or priced["lot"] != lot.pk:
        return {}
    return {field: said for field, said in priced["answers"].items() if PRICED[field] == name}


def _known(answers: dict[str, Any]) -> dict[str, Any]:
    return {field: said for field, said in answers.items() if said not in (None, "")}


def _initial(lot: Lot, name: str) -> dict[str, Any]:
    if name == "chemistry" and lot.chemistry_answered:
        return {"chemistry": lot.chemistry_id or UNKNOWN}
    if name == "amount":
        return {
            "mass_kg": None if lot.mass_is_estimated else lot.mass_kg,
            "units": lot.units,
            "energy_kwh": lot.energy_kwh,
            "state_of_health": None if lot.state_of_health is None else lot.state_of_health * 100,
        }
    if name == "safety" and lot.triage:
        signs = [sign for sign, seen in lot.triage_answers.items() if seen]
        return {"signs": signs, "none": not signs}
    return {"origin": lot.origin, "country": lot.country, "geoname_id": lot.geoname_id}


def _keep(request: WebRequest, lot: Lot, name: str, form: forms.Form) -> Lot:
    """Hand the answer of one page to its service."""
    given, actor, now = form.cleaned_data, request.actor, timezone.now()
    if name == "photos":
        for shows in LotPhoto.Shows.values:
            if upload := given[shows.lower()]:
                services.add_photo(lot, actor=actor, upload=upload, shows=shows, now=now)
        return lot
    if name == "origin":
        return services.answer_origin(lot, actor=actor, origin=given["origin"], now=now)
    if name == "chemistry":
        return services.answer_chemistry(lot, actor=actor, chemistry=given["chemistry"], now=now)
    if name == "amount":
        return services.answer_amount(
            lot,
            actor=actor,
            mass_kg=given["mass_kg"],
            energy_kwh=given["energy_kwh"],
            units=given["units"],
            state_of_health=None
            if given["state_of_health"] is None
            else given["state_of_health"] / 100,
            now=now,
        )
    if name == "place":
        return services.answer_place(lot, actor=actor, now=now, **given)
    if name == "safety":
        answers = {sign.value: sign.value in given["signs"] for sign in rules.Sign}
        return services.answer_triage(lot, actor=actor, answers=answers, now=now)
    return services.declare_and_submit(lot, actor=actor, now=now)


def _onward(request: WebRequest, lot: Lot, name: str) -> HttpResponse:
    if name == "photos":
        if "stay" in request.POST:
            return go(request, "sell-step", lot.pk, "photos")
        if not lot.photos.exists():
            messages.error(request, _("Take at least one photo first."))
            return go(request, "sell-step", lot.pk, "photos")
    if name == "check":
        messages.success(request, _("Handed in. Your price will be ready in a moment."))
        return go(request, "lot", lot.pk)
    if lot.status != Lot.Status.DRAFT:
        return go(request, "lot", lot.pk)
    return go(request, "sell-step", lot.pk, STEPS[STEPS.index(name) + 1])


def _added(request: HttpRequest, form: forms.Form) -> forms.Form | None:
    """Return the form with +1, +10 or +50 added to a number, if such a button was pressed."""
    field, _sep, more = request.POST.get("add", "").partition(":")
    if field not in form.fields or more not in ADD:
        return None
    form.is_valid()
    before = form.cleaned_data.get(field) or 0
    typed = {name: request.POST.get(name, "") for name in form.fields}
    return type(form)(initial=typed | {field: Decimal(before) + int(more)})


def _show(
    request: WebRequest, lot: Lot, name: str, form: forms.Form, *, status: int = 200
) -> HttpResponse:
    at = STEPS.index(name)
    context = {
        "lot": lot,
        "form": form,
        "step": name,
        "part": PART[name],
        "back": STEPS[at - 1] if at else None,
        "is_draft": lot.status == Lot.Status.DRAFT,
        **CONTEXTS[name](request, lot, form),
    }
    return page(request, f"web/sell/{name}.html", context, fragment="question", status=status)


def _photos_context(request: WebRequest, lot: Lot, form: forms.Form) -> dict[str, Any]:
    return {"photos": lot.photos.order_by("pk"), "most": rules.MAX_PHOTOS}


def _origin_context(request: WebRequest, lot: Lot, form: forms.Form) -> dict[str, Any]:
    picks = [Pick(code, str(word), ORIGIN_ICONS[code]) for code, word in Lot.Origin.choices]
    return {"picks": picks, "picked": form["origin"].value()}


def _chemistry_context(request: WebRequest, lot: Lot, form: forms.Form) -> dict[str, Any]:
    kinds = Chemistry.objects.visible_to(request.actor).in_bulk()
    main = [Pick(code, _main_name(code), chemistry=kinds[code]) for code in MAIN_CHEMISTRIES]
    more = [
        Pick(kind.code, kind.name, chemistry=kind)
        for kind in sorted(kinds.values(), key=lambda kind: kind.name)
        if kind.code not in MAIN_CHEMISTRIES
    ]
    picked = form["chemistry"].value()
    return {
        "main": main,
        "more": more,
        "picked": picked,
        "more_open": picked in [pick.value for pick in more],
    }


def _main_name(code: str) -> str:
    return {
        "LFP": _("Scooter, bus, solar"),
        "NMC532": _("Scooter, car, laptop"),
        "LCO": _("Phone, tablet"),
        "PBA": _("Starter, inverter, rickshaw"),
        "NIMH": _("Hybrid car"),
    }[code]


def _amount_context(request: WebRequest, lot: Lot, form: forms.Form) -> dict[str, Any]:
    return {
        "add": ADD,
        "more_open": bool(form["energy_kwh"].value() or form["state_of_health"].value()),
    }


def _place_context(request: WebRequest, lot: Lot, form: forms.Form) -> dict[str, Any]:
    country = request.GET.get("country") or str(form["country"].value() or lot.country)
    text = request.GET.get("q", "")[:60]
    towns: list[City] = search_cities(country, text, limit=TOWNS_SHOWN)
    return {
        "countries": Country.objects.visible_to(request.actor),
        "country": country,
        "q": text,
        "towns": towns,
        "picked": str(form["geoname_id"].value() or ""),
        "chosen_is_shown": lot.geoname_id in [town.geoname_id for town in towns],
    }


def _safety_context(request: WebRequest, lot: Lot, form: forms.Form) -> dict[str, Any]:
    return {
        "picks": [Pick(sign, str(word), f"triage-{sign}") for sign, word in SIGNS.items()],
        "picked": form["signs"].value() or [],
        "none_picked": form["none"].value(),
    }


def _check_context(request: WebRequest, lot: Lot, form: forms.Form) -> dict[str, Any]:
    answered = services.answered(lot)
    return {
        "photos": lot.photos.order_by("pk"),
        "open_questions": [PAGE_OF[name] for name in rules.missing(answered)],
        "amounts_disagree": queries.amounts_disagree(lot, on=timezone.now().date()),
        "signs": [SIGNS[sign] for sign, seen in lot.triage_answers.items() if seen],
    }


PAGE_OF = {
    "photos": ("photos", lazy("Take a photo")),
    "origin": ("origin", lazy("Say what they came from")),
    "chemistry": ("chemistry", lazy("Choose the kind")),
    "amount": ("amount", lazy("Say how much it is")),
    "place": ("place", lazy("Choose the town")),
    "triage": ("safety", lazy("Answer the safety questions")),
}
CONTEXTS: dict[str, Callable[[WebRequest, Lot, forms.Form], dict[str, Any]]] = {
    "photos": _photos_context,
    "origin": _origin_context,
    "chemistry": _chemistry_context,
    "amount": _amount_context,
    "place": _place_context,
    "safety": _safety_context,
    "check": _check_context,
}
