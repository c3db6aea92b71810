"""The part of the deal room in which a price by terms is worked out: assays in, the umpire, the statement."""

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django import forms
from django.contrib import messages
from django.http import FileResponse, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_POST, require_safe

from marketplace.core.errors import Refused
from marketplace.deals import queries, services
from marketplace.deals.models import Assay, Deal, Party, Reckoning
from marketplace.deals.rules import Contract, contract_of
from marketplace.pricing.rules.formulas import Basis
from marketplace.pricing.rules.quotational import How
from marketplace.reference.models import Material

from .http import WebRequest, go, login_needed, told
from .templatetags.house import money_text, percent
from .terms import words_of

HOW: dict[str, str | Promise] = {
    How.DAY.value: lazy("of that day"),
    How.MONTH_AVERAGE.value: lazy("average of the month"),
    How.MEAN_OF_DAYS.value: lazy("mean of the days that were quoted"),
    How.EARLIER.value: lazy("none for that time: the newest one before it"),
    How.BID.value: lazy("none since: the one of the bid"),
}
BASIS: dict[str, str | Promise] = {
    Basis.TABLE.value: lazy("by our tables"),
    Basis.ONE_ASSAY.value: lazy("one assay"),
    Basis.SPLIT.value: lazy("middle of two assays"),
    Basis.UMPIRE.value: lazy("with the umpire"),
}
LINES: dict[str, str | Promise] = {
    "per_kg": lazy("Price for the kilograms"),
    "per_kwh": lazy("Price for the rated kilowatt-hours"),
    "charge": lazy("Charge"),
    "freight": lazy("The way to the plant"),
    "floor": lazy("Up to the least that was agreed"),
    "cap": lazy("Above what is held: not paid"),
}


class AssayForm(forms.Form):
    """What a laboratory found: per cent of the dry mass of each metal that the contract pays for."""

    laboratory = forms.CharField(label=lazy("Laboratory"), max_length=120)
    sample = forms.CharField(label=lazy("Number of the seal on the sample"), max_length=60)
    assayed_on = forms.DateField(
        label=lazy("Day on the certificate"),
        widget=forms.DateInput(attrs={"type": "date"}),
    )
    certificate = forms.FileField(
        label=lazy("The laboratory's certificate"),
        help_text=lazy("A PDF, or a photo of the paper."),
    )
    request_id = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, materials: tuple[str, ...], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs | {"auto_id": "assay_%s"})
        self.materials = materials
        for material in materials:
            self.fields[f"share_{material}"] = forms.DecimalField(
                label=_("%(material)s, of the dry mass") % {"material": Material(material).label},
                min_value=Decimal(0),
                max_value=Decimal(100),
                max_digits=7,
                decimal_places=4,
                widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
            )

    @property
    def shares(self) -> list[forms.BoundField]:
        return [self[f"share_{material}"] for material in self.materials]

    def said(self) -> dict[str, Any]:
        """Return what the service takes."""
        cleaned = dict(self.cleaned_data)
        shares = {name: cleaned.pop(f"share_{name}") / 100 for name in self.materials}
        return cleaned | {"shares": shares}


def assay_context(
    request: WebRequest, deal: Deal, side: str, bound: AssayForm | None = None
) -> dict[str, Any]:
    """Return what the deal room shows of a price by terms; nothing where the price was an amount."""
    if not deal.is_by_terms:
        return {}
    contract = contract_of(deal.terms["by_terms"])
    reckoning = Reckoning.objects.visible_to(request.actor).filter(deal=deal).first()
    assays = list(
        Assay.objects.visible_to(request.actor)
        .filter(deal=deal)
        .prefetch_related("results")
        .order_by("pk")
    )
    kg = deal.accepted_kg or deal.declared_kg
    is_assayed = contract.is_assayed(kg)
    statement = None if reckoning is None else reckoning.statement
    return {
        "by_terms": words_of(deal.terms["by_terms"]["terms"], deal.currency),
        "contract": contract,
        "dry_kg": contract.dry_kg_of(kg),
        "reckoning": reckoning,
        "assays": [(row, _found(row)) for row in assays],
        "is_assayed": is_assayed,
        "splitting": [
            (Material(name).label, limit)
            for name, limit in contract.limits.splitting.items()
            if name in contract.paid
        ],
        "statement": statement and _told(statement, deal.currency),
        "may_send": is_assayed and _may_send(deal, side, reckoning),
        "may_agree": _may_agree(deal, side, reckoning),
        "assay_form": bound or _form(contract),
    }


def _form(contract: Contract, *args: Any) -> AssayForm:
    return AssayForm(*args, materials=contract.paid, initial={"request_id": uuid4()})


def _found(row: Assay) -> list[tuple[str, Decimal]]:
    return [(each.get_material_display(), each.share * 100) for each in row.results.all()]


def _may_send(deal: Deal, side: str, reckoning: Reckoning | None) -> bool:
    if reckoning is not None and reckoning.status == Reckoning.Status.UMPIRE:
        return side == queries.JUDGE
    is_open = (
        deal.status in (Deal.Status.INSPECTION, Deal.Status.ADJUSTED)
        if reckoning is None
        else reckoning.status == Reckoning.Status.ASSAYS
    )
    party = _party(side)
    return is_open and party is not None and party not in queries.assays_sent(deal)


def _may_agree(deal: Deal, side: str, reckoning: Reckoning | None) -> bool:
    """A side that sent none may let the other's count; of two that differ each may give in."""
    party = _party(side)
    if reckoning is None or party is None:
        return False
    if reckoning.status == Reckoning.Status.DIFFER:
        return True
    sent = queries.assays_sent(deal)
    return reckoning.status == Reckoning.Status.ASSAYS and bool(sent) and party not in sent


def _party(side: str) -> str | None:
    return {queries.SELLER: Party.SELLER.value, queries.BUYER: Party.BUYER.value}.get(side)


def _told(statement: dict[str, Any], currency: str) -> dict[str, Any]:
    """Return a statement with every line, quote and rate in words."""
    quotes, agreed = statement["quotes"], statement["agreed"]
    lines = []
    for line in statement["lines"]:
        name, note = LINES.get(line["code"], ""), ""
        if line["material"]:
            used, share = quotes[line["material"]], agreed[line["material"]]
            name = Material(line["material"]).label
            note = _("%(kg)s kg inside (%(share)s, %(basis)s) × %(payable)s × %(quote)s a kg") % {
                "kg": line["facts"]["kg"],
                "share": percent(Decimal(share["share"])),
                "basis": BASIS[share["basis"]],
                "payable": percent(Decimal(line["facts"]["payable"])),
                "quote": money_text(Decimal(used["value"]), "USD", exact=True),
            }
        lines.append((name, note, Decimal(line["amount"])))
    return {
        "amount": Decimal(statement["amount"]),
        "dry_kg": statement["dry_kg"] and Decimal(statement["dry_kg"]),
        "lines": lines,
        "quotes": [
            (
                Material(name).label,
                money_text(Decimal(used["value"]), "USD", exact=True),
                date.fromisoformat(used["on"]),
                used["source"],
                HOW[used["how"]],
            )
            for name, used in quotes.items()
        ],
        "rate": None if currency == "USD" else _rate(statement["per_usd"], currency),
        "umpire": [
            (Party(party).label, Decimal(fee))
            for party, fee in statement["umpire_fees_usd"].items()
        ],
        "is_split_by_time": statement["is_split_by_time"],
        "sha256": statement["sha256"],
    }


def _rate(used: dict[str, str], currency: str) -> tuple[str, date, str, str | Promise]:
    said = money_text(Decimal(used["value"]), currency, exact=True)
    return said, date.fromisoformat(used["on"]), used["source"], HOW[used["how"]]


# --- doing ------------------------------------------------------------------------------------------


def bound_form(request: WebRequest, deal: Deal) -> AssayForm:
    """Return the form with what was sent, for the metals that the contract pays for."""
    return AssayForm(
        request.POST, request.FILES, materials=contract_of(deal.terms["by_terms"]).paid
    )


def send_bound(request: WebRequest, deal: Deal, form: AssayForm) -> bool:
    """Send what the form holds; tell whether it was taken, else the form says why not."""
    if form.is_valid():
        try:
            services.send_assay(deal, actor=request.actor, now=timezone.now(), **form.said())
        except Refused as refusal:
            name = (refusal.field or "").replace("shares.", "share_")
            form.add_error(name if name in form.fields else None, refusal.message)
    return not form.errors


@require_safe
@login_needed
def certificate(request: WebRequest, pk: int) -> HttpResponse:
    """A laboratory's certificate, for those who may read what it says."""
    row = get_object_or_404(Assay.objects.visible_to(request.actor), pk=pk)
    name = f"assay-{row.pk}{'.pdf' if row.certificate.name.endswith('.pdf') else '.jpg'}"
    return FileResponse(  # type: ignore[return-value]  # a stream, which Django types apart
        row.certificate.open(), as_attachment=True, filename=name
    )


@require_POST
@login_needed
def agree(request: WebRequest, pk: int) -> HttpResponse:
    with told(request):
        services.agree_assay(_deal(request, pk), actor=request.actor, now=timezone.now())
        messages.success(request, _("Agreed. The price follows the other side's assay."))
    return go(request, "deal", pk)


@require_POST
@login_needed
def umpire(request: WebRequest, pk: int) -> HttpResponse:
    with told(request):
        services.ask_umpire(_deal(request, pk), actor=request.actor, now=timezone.now())
        messages.success(request, _("An umpire is asked. Send the third sealed sample."))
    return go(request, "deal", pk)


def _deal(request: WebRequest, pk: int) -> Deal:
    rows = Deal.objects.visible_to(request.actor).with_contract(request.actor)
    return get_object_or_404(rows, pk=pk)
