"""Lots: mine, those for sale, and the page of one lot."""

from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Case, IntegerField, Value, When
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.cache import get_conditional_response
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_POST, require_safe

from marketplace.accounts.capabilities import Capability
from marketplace.compliance.queries import latest_classifications
from marketplace.lots import queries, services
from marketplace.lots.models import Lot
from marketplace.pricing.queries import (
    because,
    evidence,
    explained,
    explained_flags,
    latest_valuation,
    recycled_in_korea,
    routes,
    with_latest_worth,
)
from marketplace.pricing.rules import rough
from marketplace.reference.models import Country

from .http import Keyset, WebRequest, go, login_needed, page, refusals, told
from .market import panel
from .orders import sell_panel
from .public import FIRE_SERVICE
from .sell import ORIGIN_ICONS, SIGNS

WAITS_FOR_SELLER = (
    Lot.Status.QUARANTINED,
    Lot.Status.NEEDS_INFO,
    Lot.Status.SELLER_DECISION,
    Lot.Status.PRICED,
    Lot.Status.UNSOLD,
    Lot.Status.DRAFT,
)
FOR_SALE = (Lot.Status.OPEN, Lot.Status.SCHEDULED)
DANGER = (Lot.Status.QUARANTINED, Lot.Status.IN_SAFETY_FLOW, Lot.Status.DISPOSED)
WIDTHS = (320, 800, 1600)
A_YEAR = 365 * 24 * 3600


class AnswerForm(forms.Form):
    answer = forms.CharField(
        label=lazy("Your answer"),
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 4}),
        error_messages={"required": lazy("Write an answer.")},
    )


@require_safe
def lots(request: WebRequest) -> HttpResponse:
    """List my lots, those that wait for me first. Who buys, or is a stranger, is shown what is for sale."""
    actor = request.actor
    if not actor.may(Capability.LOT_LIST) or (
        actor.may(Capability.BID_PLACE) and request.GET.get("show") != "mine"
    ):
        return go(request, "market")
    rows = (
        with_latest_worth(queries.with_first_photo(Lot.objects.visible_to(actor)))
        .select_related("chemistry")
        .filter(seller_id=actor.organisation_id)
        .annotate(
            urgency=Case(
                *(
                    When(status=status, then=Value(at))
                    for at, status in enumerate(WAITS_FOR_SELLER)
                ),
                default=Value(len(WAITS_FOR_SELLER)),
                output_field=IntegerField(),
            )
        )
    )
    listed: Keyset[Any] = Keyset(rows, "urgency", "-pk", size=24, after=request.GET.get("after"))
    for row in listed:
        row.rough_worth = None if row.worth is None else rough(row.worth)
    return page(request, "web/lots/list.html", {"lots": listed})


@require_safe
def lot(request: WebRequest, pk: int) -> HttpResponse:
    """The one page of a lot: for its seller everything, for others what is for sale, at a coarse place."""
    return _show(request, _visible(request, pk), AnswerForm())


@login_needed
@require_POST
def answer(request: WebRequest, pk: int) -> HttpResponse:
    """Answer what staff asked."""
    found, form = _visible(request, pk), AnswerForm(request.POST)
    if form.is_valid():
        with refusals(form):
            services.answer_question(
                found, actor=request.actor, now=timezone.now(), **form.cleaned_data
            )
            return go(request, "lot", pk)
    return _show(request, found, form, status=422)


@login_needed
@require_POST
def withdraw(request: WebRequest, pk: int) -> HttpResponse:
    found = _visible(request, pk)
    with told(request):
        services.withdraw_lot(found, actor=request.actor, now=timezone.now())
        messages.success(request, _("The lot is withdrawn."))
    return go(request, "lot", pk)


@login_needed
@require_POST
def safety_pickup(request: WebRequest, pk: int) -> HttpResponse:
    found = _visible(request, pk)
    with told(request):
        services.call_safety_pickup(found, actor=request.actor, now=timezone.now())
        messages.success(request, _("Asked for. Somebody trained will call you."))
    return go(request, "lot", pk)


@require_safe
def photo(request: WebRequest, pk: int, photo_pk: int) -> HttpResponse:
    """Serve a photo, at one of three widths, to those who see the lot. Kept by the browser: a photo never changes."""
    found = get_object_or_404(_visible(request, pk).photos.all(), pk=photo_pk)
    width = request.GET.get("w", "1600")
    if width not in map(str, WIDTHS):
        raise Http404
    etag = f'"{found.sha256[:32]}-{width}"'
    if unchanged := get_conditional_response(request, etag=etag):
        return unchanged
    try:
        picture = queries.picture_of(found, width=int(width))
    except FileNotFoundError:
        raise Http404 from None
    response = HttpResponse(picture, content_type="image/jpeg")
    response["Cache-Control"] = f"private, max-age={A_YEAR}, immutable"
    response["ETag"] = etag
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Disposition"] = f'inline; filename="lot-{pk}-{photo_pk}.jpg"'
    return response


def _visible(request: WebRequest, pk: int) -> Lot:
    rows = Lot.objects.visible_to(request.actor).select_related("chemistry", "seller")
    return get_object_or_404(rows, pk=pk)


def _show(request: WebRequest, found: Lot, form: AnswerForm, *, status: int = 200) -> HttpResponse:
    is_mine = request.actor.organisation_id == found.seller_id
    if found.status == Lot.Status.DRAFT and is_mine and status == 200:
        return go(request, "sell-step", found.pk, "check")
    may_change = is_mine and found.status in services.EDITABLE
    valuation = latest_valuation(found)
    classifications = latest_classifications(found)
    context = {
        "lot": found,
        "photos": list(found.photos.order_by("pk")),
        "title": title_of(found),
        "origin_icon": ORIGIN_ICONS.get(found.origin, "battery"),
        "country": Country.objects.visible_to(request.actor).filter(code=found.country).first(),
        "is_mine": is_mine,
        "may_change": may_change,
        "may_withdraw": is_mine
        and found.status != Lot.Status.DRAFT
        and Lot.Status.WITHDRAWN in Lot.NEXT[Lot.Status(found.status)]
        and found.status not in FOR_SALE,
        "in_danger": found.status in DANGER,
        "is_waiting": found.status == Lot.Status.SUBMITTED,
        "signs": [SIGNS[sign] for sign, seen in found.triage_answers.items() if seen],
        "fire_service": FIRE_SERVICE.get(found.country, ""),
        "valuation": valuation,
        "lines": explained(valuation) if valuation else [],
        "flags": explained_flags(valuation) if valuation else [],
        "routes": routes(valuation) if valuation else [],
        "korean": recycled_in_korea(valuation) if valuation else None,
        "because": because(valuation) if valuation else "",
        "evidence": evidence(valuation) if valuation and may_change else [],
        "rough": valuation.rough_range if valuation else (),
        "per_kg": rough(valuation.typical / found.mass_kg) if valuation and found.mass_kg else None,
        "road": next((row for row in classifications if row.mode == "ROAD"), None),
        "classifications": classifications,
        "form": form,
    }
    context |= panel(request, found) | sell_panel(request, found)
    response = page(request, "web/lots/lot.html", context, fragment="worth", status=status)
    if request.htmx and found.status != Lot.Status.SUBMITTED:
        response["HX-Refresh"] = "true"  # the price came: what can be done with the lot changed too
    return response


def title_of(found: Lot) -> str:
    """Return what a lot is called on pages: "NMC, scooter"."""
    kind = found.chemistry.letters if found.chemistry else _("Kind not known")
    origin = found.get_origin_display() if found.origin else _("Origin not said yet")
    return _("%(kind)s · %(origin)s") % {"kind": kind, "origin": origin}
