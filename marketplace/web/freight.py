"""The carrier's desk: what it asks, and who asks it."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from marketplace.accounts.actors import Actor
from marketplace.accounts.capabilities import Capability
from marketplace.accounts.models import Licence
from marketplace.freight import services
from marketplace.freight.models import FreightQuote, RateCard
from marketplace.reference.models import Country, LicenceType
from marketplace.reference.queries import search_cities

from .http import Keyset, WebRequest, go, login_needed, page, refusals, told

PERCENT = 100


class RateCardForm(forms.Form):
    name = forms.CharField(
        label=gettext_lazy("Name"), help_text=gettext_lazy("For you: Box van."), max_length=80
    )
    licence: "forms.ModelChoiceField[Licence]" = forms.ModelChoiceField(
        label=gettext_lazy("Licence to carry"), queryset=None
    )
    currency = forms.CharField(label=gettext_lazy("Currency"), max_length=3, min_length=3)
    base = forms.DecimalField(
        label=gettext_lazy("Base price"), max_digits=12, decimal_places=2, min_value=0
    )
    per_km = forms.DecimalField(
        label=gettext_lazy("Per km"), max_digits=10, decimal_places=4, min_value=0
    )
    per_kg = forms.DecimalField(
        label=gettext_lazy("Per kg"), max_digits=10, decimal_places=4, min_value=0
    )
    surcharge = forms.DecimalField(
        label=gettext_lazy("More for dangerous goods"),
        max_digits=4,
        decimal_places=1,
        min_value=0,
        max_value=900,
        initial=0,
    )
    countries: "forms.ModelMultipleChoiceField[Country]" = forms.ModelMultipleChoiceField(
        label=gettext_lazy("Countries"),
        queryset=None,
        widget=forms.CheckboxSelectMultiple,
    )
    town = forms.CharField(
        label=gettext_lazy("Where does your vehicle stand?"),
        help_text=gettext_lazy("A town in your country."),
        max_length=120,
    )
    radius_km = forms.IntegerField(
        label=gettext_lazy("How far do you drive to a pick-up?"), min_value=1, max_value=10_000
    )
    capacity_kg = forms.DecimalField(
        label=gettext_lazy("How much does it take?"), max_digits=10, decimal_places=3, min_value=0
    )
    answers_itself = forms.BooleanField(
        label=gettext_lazy("Answer for me from this card, at once"), required=False, initial=True
    )
    request_id = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, actor: Actor, **more: Any) -> None:
        super().__init__(data, **more)
        self.country = actor.country
        fields: dict[str, Any] = self.fields
        fields["licence"].queryset = Licence.objects.visible_to(actor).filter(
            organisation_id=actor.require(Capability.FREIGHT_QUOTE),
            status=Licence.Status.VERIFIED,
            acts__contains=[LicenceType.Use.CARRY],
        )
        fields["countries"].queryset = Country.objects.visible_to(actor)

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        if said.get("town"):
            found = search_cities(self.country, said["town"], limit=1)
            if found:
                said["centre_latitude"], said["centre_longitude"] = found[0].position
            else:
                self.add_error("town", _("We do not know this town. Name a larger one nearby."))
        return said


class AnswerForm(forms.Form):
    price = forms.DecimalField(
        label=gettext_lazy("Your price"), max_digits=12, decimal_places=2, min_value=0
    )
    pickup_on = forms.DateField(
        label=gettext_lazy("Pick-up day"),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )


@require_safe
@login_needed
def freight(request: WebRequest) -> HttpResponse:
    return _desk(request)


def _desk(request: WebRequest, *, status: int = 200, **bound: Any) -> HttpResponse:
    actor = request.actor
    if not actor.may(Capability.FREIGHT_QUOTE):
        return page(request, "web/freight/desk.html", {"is_carrier": False})
    mine = (
        FreightQuote.objects.visible_to(actor)
        .filter(carrier_id=actor.organisation_id)
        .select_related("round")
    )
    asked = list(
        mine.filter(status=FreightQuote.Status.REQUESTED).order_by("round__deadline", "pk")[:50]
    )
    answered = mine.exclude(status=FreightQuote.Status.REQUESTED)
    initial = {"pickup_on": timezone.localdate()}
    refused: AnswerForm | None = bound.get("answer_form")
    for quote in asked:
        is_it = refused is not None and quote.pk == bound.get("answered_pk")
        quote.form = (  # type: ignore[attr-defined]
            refused if is_it else AnswerForm(initial=initial, auto_id=f"quote{quote.pk}_%s")
        )
    context = {
        "is_carrier": True,
        "cards": RateCard.objects.visible_to(actor).filter(active=True).order_by("-pk"),
        "asked": asked,
        "answered": Keyset(answered, "-pk", size=20, after=request.GET.get("after")),
        "percent": PERCENT,
    }
    return page(request, "web/freight/desk.html", context, status=status)


@login_needed
def rate_card_new(request: WebRequest) -> HttpResponse:
    actor = request.actor
    actor.require(Capability.FREIGHT_QUOTE)
    country = Country.objects.visible_to(actor).filter(code=actor.country).first()
    home = {
        "request_id": uuid4(),
        "countries": [actor.country],
        "currency": country.currency if country else "",
        "radius_km": 200,
    }
    form = RateCardForm(request.POST or None, actor=actor, initial=home)
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        with refusals(form):
            services.publish_rate_card(
                said["licence"],
                actor=actor,
                name=said["name"],
                currency=said["currency"].upper(),
                base=said["base"],
                per_km=said["per_km"],
                per_kg=said["per_kg"],
                dangerous_goods_share=said["surcharge"] / PERCENT,
                countries=[country.code for country in said["countries"]],
                centre_latitude=_degrees(said["centre_latitude"]),
                centre_longitude=_degrees(said["centre_longitude"]),
                radius_km=said["radius_km"],
                capacity_kg=said["capacity_kg"],
                answers_itself=said["answers_itself"],
                request_id=said["request_id"],
                now=timezone.now(),
            )
            messages.success(request, _("Published. You are asked for every load that fits."))
            return go(request, "freight")
    context = {"form": form, "has_licence": form.fields["licence"].queryset.exists()}  # type: ignore[attr-defined]
    return page(request, "web/freight/card.html", context, status=422 if form.errors else 200)


def _degrees(value: float) -> Decimal:
    return Decimal(str(value))


@require_POST
@login_needed
def rate_card_retire(request: WebRequest, pk: int) -> HttpResponse:
    card = get_object_or_404(RateCard.objects.visible_to(request.actor), pk=pk)
    with told(request):
        services.retire_rate_card(card, actor=request.actor)
        messages.success(request, _("Taken off. What it has offered stands."))
    return go(request, "freight")


@require_POST
@login_needed
def quote_answer(request: WebRequest, pk: int) -> HttpResponse:
    quote = _asked(request, pk)
    form = AnswerForm(request.POST, auto_id=f"quote{pk}_%s")
    if form.is_valid():
        with refusals(form):
            services.answer_quote(
                quote, actor=request.actor, now=timezone.now(), **form.cleaned_data
            )
            messages.success(request, _("Your offer is in."))
            return go(request, "freight")
    return _desk(request, status=422, answer_form=form, answered_pk=pk)


@require_POST
@login_needed
def quote_decline(request: WebRequest, pk: int) -> HttpResponse:
    with told(request):
        services.decline_quote(_asked(request, pk), actor=request.actor, now=timezone.now())
    return go(request, "freight")


def _asked(request: WebRequest, pk: int) -> FreightQuote:
    mine = FreightQuote.objects.visible_to(request.actor).filter(
        carrier_id=request.actor.organisation_id
    )
    return get_object_or_404(mine.select_related("round"), pk=pk)
