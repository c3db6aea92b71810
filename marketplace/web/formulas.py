"""Bid by terms in a sealed auction: write them, look at what they come to, confirm."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from marketplace.accounts.capabilities import Capability
from marketplace.core.clock import database_clock
from marketplace.core.errors import Refused
from marketplace.market import services
from marketplace.market.models import Auction
from marketplace.pricing.rules.formulas import HIGHEST_PAYABLE, AssayBy, Pickup, QuotesOf, plain
from marketplace.reference.models import Material

from .http import WebRequest, go, login_needed, page
from .market import NUMBER_KEYS, sign_of, title_of
from .terms import words_of

KINDS = {
    "PER_KG": lazy("Per kg"),
    "PER_KWH": lazy("Per kWh"),
    "FORMULA": lazy("Formula"),
}
WRONG = {
    "required": lazy("Fill this in."),
    "invalid": lazy("Write a number, as 12.50."),
}

MOST_PER_CENT = 100 * HIGHEST_PAYABLE
PER_CENT = {
    "min_value": lazy("Write zero or more per cent. Leave it empty to pay nothing for it."),
    "max_value": lazy("Write at most 120 per cent of the quote."),
}


class TermsForm(forms.Form):
    """One kind of terms. ``figure`` is what the bidder was shown; without it nothing is placed."""

    request_id = forms.UUIDField(widget=forms.HiddenInput)
    figure = forms.DecimalField(
        required=False, max_digits=14, decimal_places=2, widget=forms.HiddenInput
    )

    def terms(self) -> dict[str, Any]:
        raise NotImplementedError


class PriceForm(TermsForm):
    price = forms.DecimalField(
        max_digits=16,
        decimal_places=6,
        widget=forms.TextInput(attrs=NUMBER_KEYS),
        error_messages=WRONG,
    )

    def __init__(self, *args: Any, kind: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kind = kind
        self.fields["price"].label = (
            _("Your price for each kg") if kind == "PER_KG" else _("Your price for each rated kWh")
        )

    def terms(self) -> dict[str, Any]:
        return {"kind": self.kind, "price": self.cleaned_data["price"]}


class FormulaForm(TermsForm):
    charge_per_kg = forms.DecimalField(
        label=lazy("Your charge for each kg"),
        help_text=lazy("What taking it apart costs you. It is taken off."),
        required=False,
        max_digits=16,
        decimal_places=6,
        widget=forms.TextInput(attrs=NUMBER_KEYS),
        error_messages=WRONG,
    )
    floor_per_kg = forms.DecimalField(
        label=lazy("You never pay less, for each kg"),
        help_text=lazy("The seller's worst case. Leave it empty for none."),
        required=False,
        max_digits=16,
        decimal_places=6,
        widget=forms.TextInput(attrs=NUMBER_KEYS),
        error_messages=WRONG,
    )
    pickup = forms.ChoiceField(
        label=lazy("Who bears the way to your plant"),
        choices=[
            (Pickup.BUYER.value, lazy("We do")),
            (Pickup.SELLER.value, lazy("The seller: take it off the figure")),
        ],
        initial=Pickup.BUYER.value,
        widget=forms.RadioSelect,
    )

    quotes_of = forms.ChoiceField(
        label=lazy("Which quotes count in the end"),
        choices=[
            (QuotesOf.WEIGHING_DAY.value, lazy("Of the day on which the goods are weighed")),
            (QuotesOf.MONTH.value, lazy("The average of that month")),
            (QuotesOf.NEXT_MONTH.value, lazy("The average of the month after")),
        ],
        initial=QuotesOf.WEIGHING_DAY.value,
        required=False,
        widget=forms.RadioSelect,
    )
    assay = forms.ChoiceField(
        label=lazy("Who says what is inside"),
        help_text=lazy("Laboratories count for lots of a tonne or more; below that our tables do."),
        choices=[
            (AssayBy.CHEMISTRY.value, lazy("The tables, by the kind of battery")),
            (AssayBy.LAB.value, lazy("A laboratory of each side")),
        ],
        initial=AssayBy.CHEMISTRY.value,
        required=False,
        widget=forms.RadioSelect,
    )

    def __init__(self, *args: Any, materials: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.materials = materials
        for material in materials:
            self.fields[f"payable_{material}"] = forms.DecimalField(
                label=_("%(material)s: how much of its quote you pay")
                % {"material": Material(material).label},
                required=False,
                min_value=Decimal(0),
                max_value=MOST_PER_CENT,
                max_digits=9,
                decimal_places=4,
                widget=forms.TextInput(attrs=NUMBER_KEYS),
                error_messages=WRONG | PER_CENT,
            )

    @property
    def payables(self) -> list[forms.BoundField]:
        return [self[f"payable_{material}"] for material in self.materials]

    def terms(self) -> dict[str, Any]:
        said = self.cleaned_data
        return {
            "kind": "FORMULA",
            "payables": {
                material: said[f"payable_{material}"] / 100
                for material in self.materials
                if said[f"payable_{material}"] is not None
            },
            "charge_per_kg": said["charge_per_kg"] or Decimal(0),
            "floor_per_kg": said["floor_per_kg"] or Decimal(0),
            "pickup": said["pickup"],
            "quotes_of": said["quotes_of"] or QuotesOf.WEIGHING_DAY.value,
            "assay": said["assay"] or AssayBy.CHEMISTRY.value,
        }


@login_needed
def formula(request: WebRequest, pk: int) -> HttpResponse:
    """Bid by terms. The first step works out what they come to; the second, with that figure, places the bid."""
    rows = Auction.objects.visible_to(request.actor).select_related("lot__chemistry")
    found = get_object_or_404(rows, pk=pk)
    request.actor.require(Capability.BID_PLACE)
    by_terms = (Auction.Mode.SEALED, Auction.Mode.SECOND_PRICE)
    if found.mode not in by_terms or found.status != Auction.Status.OPEN:
        messages.error(request, _("Terms are taken in sealed auctions only, while they are open."))
        return go(request, "auction", found.pk)
    kind = request.GET.get("kind", "")
    kind = kind if kind in KINDS else "FORMULA"
    form = _form(request, found, kind)
    compared = None
    if request.method == "POST" and form.is_valid():
        try:
            if form.cleaned_data["figure"] is not None:
                _place(request, found, form)
                messages.success(request, _("Your bid is in. Nobody sees it before the end."))
                return go(request, "lot", found.lot_id)
            compared = _compare(request, found, form)
        except services.TermsRefused as refusal:
            _add_errors(form, refusal)
        except Refused as refusal:
            form.add_error(None, refusal.message)
            if refusal.code == "figure_changed":
                compared = _compare(request, found, form)
    context = {
        "auction": found,
        "title": title_of(found.lot),
        "form": form,
        "kind": kind,
        "kinds": KINDS.items(),
        "sign": sign_of(found.currency),
        "compared": compared,
        "cap": compared and compared.price_cap,
        "hidden": _carried(request, form, compared) if compared else [],
        "words": words_of(plain(compared.offer), found.currency) if compared else [],
    }
    return page(request, "web/market/formula.html", context, status=422 if form.errors else 200)


def _form(request: WebRequest, auction: Auction, kind: str) -> TermsForm:
    started = {"request_id": uuid4()}
    if kind != "FORMULA":
        return PriceForm(request.POST or None, initial=started, kind=kind)
    materials = services.materials_of(auction, on=timezone.now().date())
    return FormulaForm(request.POST or None, initial=started, materials=materials)


def _carried(
    request: WebRequest, form: TermsForm, compared: services.Compared
) -> list[tuple[str, str]]:
    """Return what was written and the figure it comes to, for the second step."""
    written = [(name, request.POST.get(name, "")) for name in form.fields if name != "figure"]
    return [*written, ("figure", f"{compared.net.typical:f}")]


def _compare(request: WebRequest, auction: Auction, form: TermsForm) -> services.Compared:
    return services.compare_terms(
        auction, actor=request.actor, terms=form.terms(), on=timezone.now().date()
    )


def _place(request: WebRequest, auction: Auction, form: TermsForm) -> None:
    services.place_formula_bid(
        auction,
        actor=request.actor,
        terms=form.terms(),
        currency=auction.currency,
        maximum=form.cleaned_data["figure"],
        request_id=form.cleaned_data["request_id"],
        clock=database_clock,
        confirmed=True,  # the figure stood before them
    )


def _add_errors(form: TermsForm, refusal: services.TermsRefused) -> None:
    for where, said in refusal.problems:
        name = where.replace("payables.", "payable_")
        form.add_error(name if name in form.fields else None, said)
