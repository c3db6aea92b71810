"""Staff take a fraudulent or mistaken deal out of the price index: one proposes, another decides."""

from uuid import uuid4

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l
from django.views.decorators.http import require_POST, require_safe

from marketplace.pricing import services
from marketplace.pricing.models import Exclusion, SettledPrice

from .http import Keyset, WebRequest, go, page, refusals, told
from .staff import staff_only


class ExclusionForm(forms.Form):
    cause = forms.ChoiceField(label=_l("What was wrong"), choices=Exclusion.Cause.choices)
    reason = forms.CharField(
        label=_l("Public reason"),
        max_length=300,
        help_text=_l("Everybody reads it beside the corrected index. Name no party and no price."),
    )
    request_id = forms.UUIDField(widget=forms.HiddenInput)


@staff_only
@require_safe
def exclusions(request: WebRequest) -> HttpResponse:
    """What waits or was decided, and the settled deals, the newest first."""
    rows = SettledPrice.objects.visible_to(request.actor).select_related("seller", "buyer", "lot")
    wanted = request.GET.get("deal", "").strip()
    if wanted:
        rows = rows.filter(deal_id=int(wanted)) if wanted.isdecimal() else rows.none()
    exclusions = Exclusion.objects.visible_to(request.actor).select_related("settled__seller")
    context = {
        "page": Keyset(
            rows.prefetch_related("exclusions"), "-pk", after=request.GET.get("after"), size=20
        ),
        "wanted": wanted,
        "waiting": exclusions.filter(status=Exclusion.Status.PROPOSED).select_related(
            "settled__buyer"
        ),
        "decided": exclusions.exclude(status=Exclusion.Status.PROPOSED)[:20],
        "more": {"deal": wanted} if wanted else {},
    }
    return page(request, "web/staff/exclusions.html", context)


@staff_only
def exclusion_new(request: WebRequest, pk: int) -> HttpResponse:
    """Propose to take a deal out."""
    rows = SettledPrice.objects.visible_to(request.actor).select_related("seller", "buyer")
    settled = get_object_or_404(rows, pk=pk)
    form = ExclusionForm(request.POST or None, initial={"request_id": uuid4()})
    if request.method == "POST" and form.is_valid():
        with refusals(form):
            services.propose_exclusion(
                settled, actor=request.actor, now=timezone.now(), **form.cleaned_data
            )
            messages.success(
                request, _("Proposed. The deal counts until another person has confirmed it.")
            )
            return go(request, "staff-exclusions")
    context = {"settled": settled, "form": form}
    status = 422 if form.errors else 200
    return page(request, "web/staff/exclusion_new.html", context, status=status)


@staff_only
@require_POST
def exclusion_confirm(request: WebRequest, pk: int) -> HttpResponse:
    exclusion = get_object_or_404(Exclusion.objects.visible_to(request.actor), pk=pk)
    with told(request):
        services.confirm_exclusion(exclusion, actor=request.actor, now=timezone.now())
        messages.success(request, _("Taken out. The corrected index is published with the reason."))
    return go(request, "staff-exclusions")


@staff_only
@require_POST
def exclusion_refuse(request: WebRequest, pk: int) -> HttpResponse:
    exclusion = get_object_or_404(Exclusion.objects.visible_to(request.actor), pk=pk)
    with told(request):
        services.refuse_exclusion(
            exclusion,
            actor=request.actor,
            reason=request.POST.get("reason", ""),
            now=timezone.now(),
        )
        messages.success(request, _("It counts on. The reason is kept."))
    return go(request, "staff-exclusions")
