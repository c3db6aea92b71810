"""For those who run the site: pausing the market, auctions that wait for their key, and cases to look at."""

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_POST, require_safe

from marketplace.accounts.models import Organisation
from marketplace.core.clock import database_clock
from marketplace.market import services
from marketplace.market.models import Auction, Case

from .http import Keyset, WebRequest, go, page, told
from .staff import staff_only

SHOWN = 50


class PauseForm(forms.Form):
    reason = forms.CharField(
        label=lazy("Why it pauses"), help_text=lazy("It is kept in the journal."), max_length=200
    )


class CaseForm(forms.Form):
    outcome = forms.ChoiceField(label=lazy("What it was"), choices=Case.Outcome.choices)
    note = forms.CharField(label=lazy("Reason"), max_length=500)


@staff_only
@require_safe
def sales(request: WebRequest) -> HttpResponse:
    """What of the market needs a hand of the house."""
    rows = Auction.objects.visible_to(request.actor).select_related("lot", "seal")
    cases = Keyset(
        Case.objects.visible_to(request.actor).filter(status=Case.Status.OPEN),
        "-pk",
        after=request.GET.get("after"),
    )
    firms = {firm for case in cases.rows for firm in case.firms}
    names = dict(
        Organisation.objects.visible_to(request.actor)
        .filter(pk__in=firms)
        .values_list("pk", "name")
    )
    context = {
        "paused": list(rows.filter(paused_at__isnull=False).order_by("pk")[:SHOWN]),
        "opening": list(rows.filter(status=Auction.Status.OPENING).order_by("pk")[:SHOWN]),
        "open_count": rows.filter(status=Auction.Status.OPEN, paused_at=None).count(),
        "page": cases,
        "cases": [
            (case, [names.get(firm, f"#{firm}") for firm in case.firms]) for case in cases.rows
        ],
        "pause_form": PauseForm(),
        "case_form": CaseForm(),
    }
    return page(request, "web/staff/sales.html", context)


@staff_only
@require_POST
def pause_market(request: WebRequest) -> HttpResponse:
    form = PauseForm(request.POST)
    reason = form.cleaned_data["reason"] if form.is_valid() else ""
    with told(request):
        many = services.pause_market(actor=request.actor, reason=reason, clock=database_clock)
        messages.success(request, _("%(count)s auctions pause.") % {"count": many})
    return go(request, "staff-sales")


@staff_only
@require_POST
def resume_market(request: WebRequest) -> HttpResponse:
    with told(request):
        many = services.resume_market(actor=request.actor, clock=database_clock)
        messages.success(request, _("%(count)s auctions go on, later.") % {"count": many})
    return go(request, "staff-sales")


@staff_only
@require_POST
def open_bids(request: WebRequest, pk: int) -> HttpResponse:
    """Try again to open the bids of an auction that waits for a part of its key."""
    auction = get_object_or_404(Auction.objects.visible_to(request.actor), pk=pk)
    with told(request):
        services.refuse_early_opening(auction, actor=request.actor, clock=database_clock)
        closed = services.close_auction(auction, clock=database_clock, by=request.actor)
        if closed is not None and closed.status == Auction.Status.OPENING:
            messages.warning(request, _("A part of the key is still missing."))
        else:
            messages.success(request, _("The bids are open."))
    return go(request, "staff-sales")


@staff_only
@require_POST
def give_up(request: WebRequest, pk: int) -> HttpResponse:
    """Let a lot go unsold whose key is lost for good."""
    auction = get_object_or_404(Auction.objects.visible_to(request.actor), pk=pk)
    with told(request):
        services.give_up_opening(auction, actor=request.actor, now=timezone.now())
        messages.success(request, _("Not sold. All deposits are given back."))
    return go(request, "staff-sales")


@staff_only
@require_POST
def close_case(request: WebRequest, pk: int) -> HttpResponse:
    case = get_object_or_404(Case.objects.visible_to(request.actor), pk=pk)
    form = CaseForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Choose what it was, and say why."))
        return go(request, "staff-sales")
    with told(request):
        services.close_case(case, actor=request.actor, now=timezone.now(), **form.cleaned_data)
        messages.success(request, _("The case is closed. The reason is kept."))
    return go(request, "staff-sales")
