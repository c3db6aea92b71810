"""Prices and exchange rates that staff type in: one proposes, another confirms or refuses."""

from typing import Any
from uuid import uuid4

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l
from django.views.decorators.http import require_POST, require_safe

from marketplace.reference import services
from marketplace.reference.models import (
    Material,
    ProposalStatus,
    QuoteProposal,
    RateProposal,
    Source,
)
from marketplace.reference.queries import corrections, latest_quotes, latest_rates, rate_corrections

from .http import Keyset, WebRequest, go, page, refusals, told
from .staff import staff_only

UNITS = ["USD/t", "USD/kg", "USD/lb", "CNY/t", "CNY/kg", "EUR/t", "INR/kg", "KRW/kg"]
QUOTED = ["Li2CO3", "Ni", "Co", "Cu", "Al", "Pb", "Zn", "Sn", "Mn", "Cd"]


class QuoteForm(forms.Form):
    material = forms.ChoiceField(
        label=_l("Metal"), choices=[(code, Material(code).label) for code in QUOTED]
    )
    quoted_on = forms.DateField(
        label=_l("Day of the price"), widget=forms.DateInput(attrs={"type": "date"})
    )
    price = forms.CharField(
        label=_l("Price"),
        max_length=24,
        help_text=_l("As it stands in the source: 15501.27 or 15.501,27"),
    )
    unit = forms.ChoiceField(label=_l("Unit"), choices=[(unit, unit) for unit in UNITS])
    source = forms.ChoiceField(label=_l("Source"))
    note = forms.CharField(
        label=_l("Note"),
        max_length=300,
        required=False,
        help_text=_l("Where exactly: page, table, link. Why, if it corrects an earlier price."),
    )
    request_id = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, actor: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["source"].choices = _sources(actor)  # type: ignore[attr-defined]


class RateForm(forms.Form):
    currency = forms.CharField(
        label=_l("Currency"),
        min_length=3,
        max_length=3,
        help_text=_l("Its code of three letters, such as IDR"),
    )
    quoted_on = forms.DateField(
        label=_l("Day of the rate"), widget=forms.DateInput(attrs={"type": "date"})
    )
    rate = forms.CharField(
        label=_l("Exchange rate"),
        max_length=24,
        help_text=_l("As it stands in the source: 16500.5 or 16.500,5"),
    )
    written = forms.ChoiceField(label=_l("It says"), choices=RateProposal.Written.choices)
    source = forms.ChoiceField(label=_l("Source"))
    note = forms.CharField(
        label=_l("Note"),
        max_length=300,
        required=False,
        help_text=_l("Where exactly: page, table, link. Why, if it corrects an earlier rate."),
    )
    request_id = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, actor: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["source"].choices = _sources(actor)  # type: ignore[attr-defined]


def _sources(actor: Any) -> list[tuple[str, str]]:
    sources = Source.objects.visible_to(actor).values_list("code", "title")
    return [(code, f"{code}: {title[:60]}") for code, title in sources]


@staff_only
@require_safe
def quotes(request: WebRequest) -> HttpResponse:
    """What was typed in: what waits for a second person, what was decided, and what sources corrected."""
    asked = request.GET.get("state", ProposalStatus.PROPOSED)
    state = asked if asked in ProposalStatus else ProposalStatus.PROPOSED
    rows = QuoteProposal.objects.visible_to(request.actor).filter(status=state)
    proposals = Keyset(
        rows.select_related("source"), "-pk", after=request.GET.get("after"), size=20
    )
    known = latest_quotes(timezone.now().date())
    context = {
        "page": proposals,
        "lines": [(proposal, known.get(proposal.material)) for proposal in proposals],
        "state": state,
        "states": ProposalStatus.choices,
        "corrections": corrections(),
        "more": {"state": state},
    }
    return page(request, "web/staff/quotes.html", context)


@staff_only
def quote_new(request: WebRequest) -> HttpResponse:
    """Propose a price."""
    form = QuoteForm(
        request.POST or None, actor=request.actor, initial={"request_id": uuid4(), "unit": "USD/t"}
    )
    if request.method == "POST" and form.is_valid():
        with refusals(form):
            services.propose_quote(actor=request.actor, now=timezone.now(), **form.cleaned_data)
            messages.success(
                request, _("Proposed. It counts once another person has confirmed it.")
            )
            return go(request, "staff-quotes")
    status = 422 if form.errors else 200
    return page(request, "web/staff/quotes_new.html", {"form": form}, status=status)


@staff_only
@require_POST
def quote_confirm(request: WebRequest, pk: int) -> HttpResponse:
    proposal = get_object_or_404(QuoteProposal.objects.visible_to(request.actor), pk=pk)
    with told(request):
        services.confirm_quote(proposal, actor=request.actor, now=timezone.now())
        messages.success(request, _("Confirmed. Lots are valued with it from tonight."))
    return go(request, "staff-quotes")


@staff_only
@require_POST
def quote_refuse(request: WebRequest, pk: int) -> HttpResponse:
    proposal = get_object_or_404(QuoteProposal.objects.visible_to(request.actor), pk=pk)
    with told(request):
        services.refuse_quote(
            proposal,
            actor=request.actor,
            reason=request.POST.get("reason", ""),
            now=timezone.now(),
        )
        messages.success(request, _("Refused. The reason is kept with it."))
    return go(request, "staff-quotes")


@staff_only
@require_safe
def rates(request: WebRequest) -> HttpResponse:
    """Exchange rates typed in: what waits for a second person, what was decided, what sources corrected."""
    asked = request.GET.get("state", ProposalStatus.PROPOSED)
    state = asked if asked in ProposalStatus else ProposalStatus.PROPOSED
    rows = RateProposal.objects.visible_to(request.actor).filter(status=state)
    proposals = Keyset(
        rows.select_related("source"), "-pk", after=request.GET.get("after"), size=20
    )
    known = latest_rates(timezone.now().date())
    context = {
        "page": proposals,
        "lines": [(proposal, known.get(proposal.currency)) for proposal in proposals],
        "state": state,
        "states": ProposalStatus.choices,
        "corrections": rate_corrections(),
        "more": {"state": state},
    }
    return page(request, "web/staff/rates.html", context)


@staff_only
def rate_new(request: WebRequest) -> HttpResponse:
    """Propose an exchange rate."""
    form = RateForm(request.POST or None, actor=request.actor, initial={"request_id": uuid4()})
    if request.method == "POST" and form.is_valid():
        with refusals(form):
            services.propose_rate(actor=request.actor, now=timezone.now(), **form.cleaned_data)
            messages.success(
                request, _("Proposed. It counts once another person has confirmed it.")
            )
            return go(request, "staff-rates")
    status = 422 if form.errors else 200
    return page(request, "web/staff/rates_new.html", {"form": form}, status=status)


@staff_only
@require_POST
def rate_confirm(request: WebRequest, pk: int) -> HttpResponse:
    proposal = get_object_or_404(RateProposal.objects.visible_to(request.actor), pk=pk)
    with told(request):
        services.confirm_rate(proposal, actor=request.actor, now=timezone.now())
        messages.success(request, _("Confirmed. From now on amounts are turned with it."))
    return go(request, "staff-rates")


@staff_only
@require_POST
def rate_refuse(request: WebRequest, pk: int) -> HttpResponse:
    proposal = get_object_or_404(RateProposal.objects.visible_to(request.actor), pk=pk)
    with told(request):
        services.refuse_rate(
            proposal,
            actor=request.actor,
            reason=request.POST.get("reason", ""),
            now=timezone.now(),
        )
        messages.success(request, _("Refused. The reason is kept with it."))
    return go(request, "staff-rates")
