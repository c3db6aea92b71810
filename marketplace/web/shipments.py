"""The road: what to fetch and bring today, the code that whoever gives shows, and taking over against it."""

from typing import Any
from uuid import uuid4

import segno
from django import forms
from django.conf import settings
from django.contrib import messages
from django.db.models import Prefetch, QuerySet
from django.http import FileResponse, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from marketplace.accounts.actors import Actor
from marketplace.logistics import services
from marketplace.logistics.models import Handover, Shipment, TransportDocument

from .http import Keyset, WebRequest, go, login_needed, page, refusals, told

OPEN = [Shipment.Status.BOOKED, Shipment.Status.IN_TRANSIT]


class TakeForm(forms.Form):
    code = forms.CharField(
        label=gettext_lazy("Code"),
        help_text=gettext_lazy("Six digits. The other side shows them to you."),
        max_length=12,
    )
    mass_kg = forms.DecimalField(
        label=gettext_lazy("What the scale shows"),
        max_digits=10,
        decimal_places=3,
        min_value=0,
        required=False,
    )
    request_id = forms.UUIDField(widget=forms.HiddenInput)


@require_safe
@login_needed
def shipments(request: WebRequest) -> HttpResponse:
    """What has to be fetched and brought, the oldest booking first; below, what is done."""
    mine = _shown(request.actor).select_related(
        "deal__lot__chemistry", "deal__seller", "deal__buyer", "carrier", "classification", "quote"
    )
    today = list(mine.filter(status__in=OPEN).order_by("booked_at", "pk")[:100])
    context = {
        "today": today,
        "past": Keyset(
            mine.exclude(status__in=OPEN), "-pk", size=20, after=request.GET.get("after")
        ),
        "me": request.actor.organisation_id,
    }
    return page(request, "web/shipments/list.html", context)


def _shown(actor: Actor) -> QuerySet[Shipment]:
    return Shipment.objects.visible_to(actor)


@require_safe
@login_needed
def shipment(request: WebRequest, pk: int) -> HttpResponse:
    found = _shipment(request, pk)
    scanned = request.GET.get("code", "")[:12]
    return _page(request, found, TakeForm(initial={"code": scanned, "request_id": uuid4()}))


def _shipment(request: WebRequest, pk: int) -> Shipment:
    rows = (
        _shown(request.actor)
        .select_related(
            "deal__lot__chemistry",
            "deal__seller",
            "deal__buyer",
            "deal__licence",
            "carrier",
            "classification",
            "quote__round",
        )
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
    )
    return get_object_or_404(rows, pk=pk)


def _page(
    request: WebRequest, found: Shipment, form: TakeForm, *, status: int = 200, **more: Any
) -> HttpResponse:
    me, deal = request.actor.organisation_id, found.deal
    giver, taker = {
        Shipment.Status.BOOKED: (deal.seller_id, found.carrier_id),
        Shipment.Status.IN_TRANSIT: (found.carrier_id, deal.buyer_id),
    }.get(Shipment.Status(found.status), (None, None))
    context = {
        "shipment": found,
        "deal": deal,
        "form": form,
        "is_pickup": found.status == Shipment.Status.BOOKED,
        "gives": me is not None and me == giver,
        "takes": me is not None and me == taker,
        "sees_deal": me in (deal.seller_id, deal.buyer_id),
    }
    return page(request, "web/shipments/shipment.html", context | more, status=status)


@require_POST
@never_cache
@login_needed
def show_code(request: WebRequest, pk: int) -> HttpResponse:
    """The code is on this answer and nowhere else: loading the page again makes a new one."""
    found = _shipment(request, pk)
    with told(request):
        code = services.show_code(found, actor=request.actor, now=timezone.now())
        address = f"{settings.SITE_URL}{reverse('shipment', args=[pk])}?code={code}"
        shown = {"code": f"{code[:3]} {code[3:]}", "qr": _qr(address), "shipment": found}
        return page(request, "web/shipments/code.html", shown)
    return go(request, "shipment", pk)


def _qr(address: str) -> SafeString:
    code = segno.make(address, error="m", micro=False)
    drawing = code.svg_inline(border=2, dark="#0e1916", light="#fff", omitsize=True)
    return mark_safe(drawing)  # noqa: S308 — drawn here from an address of ours


@require_POST
@login_needed
def take(request: WebRequest, pk: int) -> HttpResponse:
    found, form = _shipment(request, pk), TakeForm(request.POST)
    if form.is_valid():
        said = form.cleaned_data
        with refusals(form):
            services.hand_over(
                found,
                actor=request.actor,
                code=said["code"].replace(" ", ""),
                mass_kg=said["mass_kg"],
                request_id=said["request_id"],
                now=timezone.now(),
            )
            messages.success(request, _("Taken over. Both sides have been told."))
            is_buyer = request.actor.organisation_id == found.deal.buyer_id
            return go(request, "deal", found.deal_id) if is_buyer else go(request, "shipment", pk)
    return _page(request, found, form, status=422)


@require_safe
@login_needed
def paper(request: WebRequest, pk: int) -> HttpResponse:
    """A paper that travels with the goods, for those whom the shipment concerns."""
    row = get_object_or_404(TransportDocument.objects.visible_to(request.actor), pk=pk)
    name = f"{row.kind.lower().replace('_', '-')}-{row.shipment_id}-{row.language}.pdf"
    return FileResponse(  # type: ignore[return-value]  # a stream, which Django types apart
        row.file.open(), as_attachment=True, filename=name, content_type="application/pdf"
    )
