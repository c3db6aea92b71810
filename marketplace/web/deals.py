"""The deal room: one clear next step for each side, the weights side by side, the money, the papers."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

from django import forms
from django.contrib import messages
from django.db.models import Prefetch
from django.http import FileResponse, Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from marketplace.deals import queries, services
from marketplace.deals.models import Deal, Dispute, Weighing
from marketplace.freight import services as freight
from marketplace.freight.models import FreightQuote, QuoteRound
from marketplace.logistics import services as logistics
from marketplace.logistics.models import Handover, Shipment, TransportDocument

from .assays import AssayForm, assay_context, bound_form, send_bound
from .http import Keyset, WebRequest, go, login_needed, page, refusals, told

DIGITS = 3
PART_NAMES: dict[str, str | Promise] = {
    "base": gettext_lazy("Base"),
    "distance": gettext_lazy("Distance"),
    "mass": gettext_lazy("Weight"),
    "dangerous_goods": gettext_lazy("Dangerous goods"),
    "by_hand": gettext_lazy("Offered by hand"),
}


class KilogramField(forms.DecimalField):
    def __init__(self, label: Any, **more: Any) -> None:
        super().__init__(label=label, max_digits=10, decimal_places=DIGITS, min_value=0, **more)


class SignForm(forms.Form):
    seen_sha256 = forms.CharField(max_length=64, widget=forms.HiddenInput)


class FundForm(forms.Form):
    request_id = forms.UUIDField(widget=forms.HiddenInput)


class WeighForm(forms.Form):
    gross_kg = KilogramField(gettext_lazy("With the goods"), initial=None)
    tare_kg = KilogramField(
        gettext_lazy("Empty"), help_text=gettext_lazy("0 if the scale was set to zero.")
    )
    photo = forms.FileField(label=gettext_lazy("Photo of the scale"), required=False)
    request_id = forms.UUIDField(widget=forms.HiddenInput)


class PartForm(forms.Form):
    accepted_kg = KilogramField(gettext_lazy("How much do you keep?"))
    reason = forms.ChoiceField(
        label=gettext_lazy("What is wrong with the rest?"), choices=Deal.ReasonCode.choices
    )
    note = forms.CharField(
        label=gettext_lazy("In a few words"),
        required=False,
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 2}),
    )


class RejectForm(forms.Form):
    reason = forms.ChoiceField(
        label=gettext_lazy("What is wrong?"), choices=Deal.ReasonCode.choices
    )
    note = forms.CharField(
        label=gettext_lazy("In a few words"),
        required=False,
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 2}),
    )


class DisputeForm(forms.Form):
    about = forms.ChoiceField(
        label=gettext_lazy("What is wrong?"),
        choices=Dispute.About.choices,
        widget=forms.RadioSelect,
    )
    statement = forms.CharField(
        label=gettext_lazy("In a few words"),
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
    )


class DecideForm(forms.Form):
    accepted_kg = KilogramField(
        gettext_lazy("Accepted"), help_text=gettext_lazy("0: all of it goes back.")
    )
    price = forms.DecimalField(
        label=gettext_lazy("To the seller, in all"), max_digits=14, decimal_places=2, min_value=0
    )
    decision = forms.CharField(
        label=gettext_lazy("Your reason"),
        help_text=gettext_lazy("Both sides read it."),
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
    )


class CancelForm(forms.Form):
    reason = forms.CharField(
        label=gettext_lazy("Why?"),
        required=False,
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 2}),
    )


# --- reading ----------------------------------------------------------------------------------------


@require_safe
@login_needed
def deals(request: WebRequest) -> HttpResponse:
    """What needs my action first, then the newest."""
    mine = Deal.objects.visible_to(request.actor).with_contract(request.actor)
    rows = queries.mine_first(mine, request.actor).select_related(
        "lot__chemistry", "seller", "buyer"
    )
    found = Keyset(rows, "-waits", "-pk", size=30, after=request.GET.get("after"))
    shown = [(row, queries.side_of(row, request.actor), queries.steps_done(row)) for row in found]
    context = {"page": found, "deals": shown, "steps": queries.STEPS}
    return page(request, "web/deals/list.html", context, fragment="rows")


@require_safe
@login_needed
def deal(request: WebRequest, pk: int) -> HttpResponse:
    return _room(request, _deal(request, pk))


def _deal(request: WebRequest, pk: int) -> Deal:
    rows = Deal.objects.visible_to(request.actor).with_contract(request.actor)
    whole = rows.select_related(
        *("lot__chemistry", "seller", "buyer", "carrier"),
        *("licence", "cancel_asked_by", "reckoning"),
    ).prefetch_related(
        Prefetch(
            "weighings",
            Weighing.objects.visible_to(request.actor)
            .select_related("weighed_for", "weighed_by")
            .order_by("pk"),
        )
    )
    return get_object_or_404(whole, pk=pk)


def _room(
    request: WebRequest,
    deal: Deal,
    *,
    status: int = 200,
    assay_form: AssayForm | None = None,
    **bound: Any,
) -> HttpResponse:
    actor = request.actor
    side = queries.side_of(deal, actor)
    disputes = list(
        Dispute.objects.visible_to(actor)
        .filter(deal=deal)
        .select_related("opened_by", "decided_by")
        .order_by("pk")
    )
    dispute = next((row for row in disputes if row.ended_at is None), None)
    shipment = _shipment(request, deal)
    asked, quotes = _offers(request, deal)
    code, is_mine = queries.turn(
        deal, side, dispute=dispute, has_offers=any(quote.rank for quote in quotes)
    )
    is_first_offer = {"request_id": uuid4()}
    differs = queries.difference(deal)
    context = {
        "deal": deal,
        "side": side,
        "turn": code,
        "is_mine": is_mine,
        "by": queries.deadline(deal) if dispute is None else None,
        "done": queries.steps_done(deal),
        "steps": queries.STEPS,
        "scales": queries.scales(deal),
        "difference": differs,
        "held": queries.held(deal),
        "refunded": deal.to_hold - deal.paid_out if deal.settled_at else Decimal(0),
        "dispute": dispute,
        "disputes": disputes,
        "shipment": shipment,
        "asked": asked,
        "quotes": quotes,
        "answered": sum(quote.answered_at is not None for quote in quotes),
        "may_cancel": side in (queries.SELLER, queries.BUYER)
        and Deal.Status.CANCELLED in Deal.NEXT[Deal.Status(deal.status)],
        "may_dispute": side in (queries.SELLER, queries.BUYER)
        and dispute is None
        and deal.status in (Deal.Status.INSPECTION, Deal.Status.ADJUSTED, Deal.Status.REJECTED),
        "may_weigh_third": dispute is not None
        and dispute.status == Dispute.Status.PROPOSED
        and dispute.about == Dispute.About.WEIGHT
        and side in (queries.SELLER, queries.BUYER)
        and not any(row.stage == Weighing.Stage.THIRD for row in deal.weighings.all()),
        "sign_form": SignForm(initial={"seen_sha256": deal.terms_sha256}),
        "fund_form": FundForm(initial=is_first_offer),
        "weigh_form": WeighForm(initial=is_first_offer),
        "part_form": PartForm(auto_id="part_%s"),
        "reject_form": RejectForm(auto_id="reject_%s"),
        "dispute_form": DisputeForm(auto_id="dispute_%s"),
        "decide_form": DecideForm(
            initial={"accepted_kg": differs.weighed_kg if differs else deal.declared_kg}
        ),
        "cancel_form": CancelForm(auto_id="cancel_%s"),
    }
    context |= assay_context(request, deal, side, assay_form)
    return page(request, "web/deals/room.html", context | bound, status=status)


def _shipment(request: WebRequest, deal: Deal) -> Shipment | None:
    return (
        Shipment.objects.visible_to(request.actor)
        .filter(deal=deal)
        .select_related("classification", "carrier")
        .prefetch_related(
            Prefetch(
                "documents",
                TransportDocument.objects.visible_to(request.actor)
                .filter(language__in=[request.LANGUAGE_CODE, "en"])
                .order_by("kind", "-language"),
            )
        )
        .prefetch_related(
            Prefetch(
                "handovers",
                Handover.objects.visible_to(request.actor)
                .select_related("from_organisation", "to_organisation")
                .order_by("sequence"),
            ),
        )
        .first()
    )


def _offers(request: WebRequest, deal: Deal) -> tuple[QuoteRound | None, list[FreightQuote]]:
    """Return the newest question to the carriers and what came in, the best first. For the buyer."""
    asked = (
        QuoteRound.objects.visible_to(request.actor)
        .filter(purpose=f"deal:{deal.pk}", asked_by_id=request.actor.organisation_id)
        .order_by("-round_number")
        .first()
    )
    if asked is None:
        return None, []
    quotes = list(
        FreightQuote.objects.visible_to(request.actor)
        .filter(round=asked)
        .select_related("carrier")
        .order_by("rank", "pk")
    )
    for quote in quotes:
        quote.named_parts = [  # type: ignore[attr-defined]
            (PART_NAMES.get(part["code"], part["code"]), Decimal(part["amount"]))
            for part in quote.parts
        ]
    return asked, quotes


@require_safe
@login_needed
def weighing_photo(request: WebRequest, pk: int) -> HttpResponse:
    """The photo of a scale, for those whom the deal concerns."""
    row = get_object_or_404(Weighing.objects.visible_to(request.actor), pk=pk)
    if not row.photo:
        raise Http404
    return FileResponse(  # type: ignore[return-value]  # a stream, which Django types apart
        row.photo.open(), as_attachment=True, filename=f"scale-{row.pk}.jpg"
    )


# --- doing ------------------------------------------------------------------------------------------


@require_POST
@login_needed
def sign(request: WebRequest, pk: int) -> HttpResponse:
    deal, form = _deal(request, pk), SignForm(request.POST)
    if form.is_valid():
        with refusals(form):
            services.sign(
                deal,
                actor=request.actor,
                seen_sha256=form.cleaned_data["seen_sha256"],
                now=timezone.now(),
            )
            messages.success(request, _("Signed."))
            return go(request, "deal", pk)
    return _room(request, deal, status=422, sign_form=form)


@require_POST
@login_needed
def fund(request: WebRequest, pk: int) -> HttpResponse:
    deal, form = _deal(request, pk), FundForm(request.POST)
    if form.is_valid():
        with refusals(form):
            services.fund(deal, actor=request.actor, now=timezone.now(), **form.cleaned_data)
            messages.success(request, _("Your money is held safely. Now a carrier is found."))
            return go(request, "deal", pk)
    return _room(request, deal, status=422, fund_form=form)


@require_POST
@login_needed
def choose(request: WebRequest, pk: int) -> HttpResponse:
    quote = get_object_or_404(
        FreightQuote.objects.visible_to(request.actor).select_related("round"), pk=pk
    )
    deal_id = quote.round.purpose.partition(":")[2]
    with told(request):
        freight.choose_quote(quote, actor=request.actor, now=timezone.now())
        messages.success(request, _("Chosen. The carrier is being booked and the papers printed."))
    return go(request, "deal", deal_id)


@require_POST
@login_needed
def transport(request: WebRequest, pk: int) -> HttpResponse:
    """Ask the carriers again."""
    shipment = get_object_or_404(
        Shipment.objects.visible_to(request.actor), deal=_deal(request, pk)
    )
    with told(request):
        logistics.request_transport(shipment, actor=request.actor, now=timezone.now())
        messages.success(request, _("The carriers are asked again."))
    return go(request, "deal", pk)


@require_POST
@login_needed
def weigh(request: WebRequest, pk: int) -> HttpResponse:
    deal, form = _deal(request, pk), WeighForm(request.POST, request.FILES)
    stage = {
        Deal.Status.CARRIER_BOOKED: Weighing.Stage.PICKUP,
        Deal.Status.PICKED_UP: Weighing.Stage.DELIVERY,
    }.get(Deal.Status(deal.status))
    if stage is None:
        done = any(row.stage == Weighing.Stage.DELIVERY for row in deal.weighings.all())
        stage = Weighing.Stage.THIRD if done else Weighing.Stage.DELIVERY
    if form.is_valid():
        with refusals(form):
            services.weigh(
                deal, actor=request.actor, stage=stage, now=timezone.now(), **form.cleaned_data
            )
            return go(request, "deal", pk)
    return _room(request, deal, status=422, weigh_form=form)


@require_POST
@login_needed
def assay(request: WebRequest, pk: int) -> HttpResponse:
    """Send what a laboratory found; the verifier sends the umpire's."""
    deal = _deal(request, pk)
    if not deal.is_by_terms:
        raise Http404
    form = bound_form(request, deal)
    if send_bound(request, deal, form):
        messages.success(request, _("The assay is in."))
        return go(request, "deal", pk)
    return _room(request, deal, status=422, assay_form=form)


@require_POST
@login_needed
def accept(request: WebRequest, pk: int) -> HttpResponse:
    with told(request):
        done = services.accept(_deal(request, pk), actor=request.actor, now=timezone.now())
        messages.success(
            request,
            _("Accepted. The seller has been paid.")
            if done.settled_at
            else _("Accepted. Now the price is worked out."),
        )
    return go(request, "deal", pk)


@require_POST
@login_needed
def adjust(request: WebRequest, pk: int) -> HttpResponse:
    with told(request):
        services.propose_adjustment(_deal(request, pk), actor=request.actor, now=timezone.now())
        messages.success(request, _("The corrected price was sent to the seller."))
    return go(request, "deal", pk)


@require_POST
@login_needed
def agree(request: WebRequest, pk: int) -> HttpResponse:
    with told(request):
        done = services.agree_adjustment(
            _deal(request, pk), actor=request.actor, now=timezone.now()
        )
        messages.success(
            request,
            _("Agreed. You have been paid.")
            if done.settled_at
            else _("Agreed. Now the price is worked out."),
        )
    return go(request, "deal", pk)


@require_POST
@login_needed
def part(request: WebRequest, pk: int) -> HttpResponse:
    deal, form = _deal(request, pk), PartForm(request.POST, auto_id="part_%s")
    if form.is_valid():
        with refusals(form):
            services.part_accept(deal, actor=request.actor, now=timezone.now(), **form.cleaned_data)
            messages.success(request, _("A part is accepted. The rest goes back."))
            return go(request, "deal", pk)
    return _room(request, deal, status=422, part_form=form)


@require_POST
@login_needed
def reject(request: WebRequest, pk: int) -> HttpResponse:
    deal, form = _deal(request, pk), RejectForm(request.POST, auto_id="reject_%s")
    if form.is_valid():
        with refusals(form):
            services.reject(deal, actor=request.actor, now=timezone.now(), **form.cleaned_data)
            messages.success(request, _("Rejected. The goods go back to the seller."))
            return go(request, "deal", pk)
    return _room(request, deal, status=422, reject_form=form)


@require_POST
@login_needed
def returned(request: WebRequest, pk: int) -> HttpResponse:
    with told(request):
        services.confirm_return(_deal(request, pk), actor=request.actor, now=timezone.now())
    return go(request, "deal", pk)


@require_POST
@login_needed
def cancel(request: WebRequest, pk: int) -> HttpResponse:
    deal, form = _deal(request, pk), CancelForm(request.POST, auto_id="cancel_%s")
    if form.is_valid():
        with refusals(form):
            services.cancel(deal, actor=request.actor, now=timezone.now(), **form.cleaned_data)
            return go(request, "deal", pk)
    return _room(request, deal, status=422, cancel_form=form)


@require_POST
@login_needed
def dispute(request: WebRequest, pk: int) -> HttpResponse:
    deal, form = _deal(request, pk), DisputeForm(request.POST, auto_id="dispute_%s")
    if form.is_valid():
        with refusals(form):
            services.open_dispute(
                deal, actor=request.actor, now=timezone.now(), **form.cleaned_data
            )
            return go(request, "deal", pk)
    return _room(request, deal, status=422, dispute_form=form)


@require_POST
@login_needed
def dispute_agree(request: WebRequest, pk: int) -> HttpResponse:
    row = _dispute(request, pk)
    with told(request):
        services.agree_dispute(row, actor=request.actor, now=timezone.now())
    return go(request, "deal", row.deal_id)


@require_POST
@login_needed
def dispute_escalate(request: WebRequest, pk: int) -> HttpResponse:
    row = _dispute(request, pk)
    with told(request):
        services.escalate(row, actor=request.actor, now=timezone.now())
    return go(request, "deal", row.deal_id)


@require_POST
@login_needed
def dispute_decide(request: WebRequest, pk: int) -> HttpResponse:
    row, form = _dispute(request, pk), DecideForm(request.POST)
    if form.is_valid():
        with refusals(form):
            services.decide_dispute(
                row, actor=request.actor, now=timezone.now(), **form.cleaned_data
            )
            messages.success(request, _("Decided. Both sides have been told."))
            return go(request, "deal", row.deal_id)
    return _room(request, _deal(request, row.deal_id), status=422, decide_form=form)


def _dispute(request: WebRequest, pk: int) -> Dispute:
    shown = Deal.objects.visible_to(request.actor).with_contract(request.actor)
    rows = Dispute.objects.visible_to(request.actor).filter(deal__in=shown)
    return get_object_or_404(rows.select_related("deal"), pk=pk)
