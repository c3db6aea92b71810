"""Pages for those who run the site: background work that failed, and organisations that have to be stopped."""

from functools import wraps
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l
from django.views.decorators.http import require_POST, require_safe

from marketplace.accounts import services as accounts
from marketplace.accounts.models import Organisation
from marketplace.journal import services as journal
from marketplace.journal.models import Job, Schedule

from .http import Keyset, View, WebRequest, go, login_needed, page, told

STATES = [Job.State.DEAD, Job.State.TODO, Job.State.DISCARDED, Job.State.DONE]


def staff_only(view: View) -> View:
    """Let in who runs the site. ``staff_second_factor`` has asked for the second factor before."""

    @wraps(view)
    def guarded(request: WebRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.user.is_staff:
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return login_needed(guarded)  # type: ignore[return-value]


class ReasonForm(forms.Form):
    reason = forms.CharField(label=_l("Reason"), max_length=300)


@staff_only
@require_safe
def jobs(request: WebRequest) -> HttpResponse:
    """Background work: how it stands, and what failed."""
    asked = request.GET.get("state", Job.State.DEAD)
    state = asked if asked in STATES else Job.State.DEAD
    rows = Job.objects.visible_to(request.actor).filter(state=state)
    context = {
        "page": Keyset(rows, "-pk", after=request.GET.get("after")),
        "state": state,
        "states": [(value.value, value.label) for value in STATES],
        "health": journal.health(now=timezone.now()),
        "schedules": Schedule.objects.visible_to(request.actor).order_by("name"),
        "more": {"state": state},
    }
    return page(request, "web/staff/jobs.html", context)


@staff_only
@require_POST
def job_retry(request: WebRequest, pk: int) -> HttpResponse:
    job = get_object_or_404(Job.objects.visible_to(request.actor), pk=pk)
    with told(request):
        journal.retry_job(job, by=request.actor, now=timezone.now())
        messages.success(request, _("It is tried again."))
    return go(request, "staff-jobs")


@staff_only
@require_POST
def job_discard(request: WebRequest, pk: int) -> HttpResponse:
    job = get_object_or_404(Job.objects.visible_to(request.actor), pk=pk)
    with told(request):
        journal.discard_job(job, by=request.actor, reason=_reason(request), now=timezone.now())
        messages.success(request, _("Given up. The reason is in the journal."))
    return go(request, "staff-jobs")


@staff_only
@require_safe
def organisations(request: WebRequest) -> HttpResponse:
    """Everybody on the market, with the button that stops them."""
    rows = Organisation.objects.visible_to(request.actor)
    wanted = request.GET.get("q", "").strip()
    if wanted:
        rows = rows.filter(name__icontains=wanted)
    context = {
        "page": Keyset(rows, "-pk", after=request.GET.get("after")),
        "wanted": wanted,
        "tiers": Organisation.Tier.choices,
    }
    return page(request, "web/staff/organisations.html", context)


@staff_only
@require_POST
def organisation_freeze(request: WebRequest, pk: int) -> HttpResponse:
    row = get_object_or_404(Organisation.objects.visible_to(request.actor), pk=pk)
    with told(request):
        accounts.freeze_organisation(
            row, actor=request.actor, reason=_reason(request), now=timezone.now()
        )
        messages.success(request, _("%(name)s is frozen.") % {"name": row.name})
    return go(request, "staff-organisations")


@staff_only
@require_POST
def organisation_release(request: WebRequest, pk: int) -> HttpResponse:
    row = get_object_or_404(Organisation.objects.visible_to(request.actor), pk=pk)
    with told(request):
        accounts.release_organisation(
            row, actor=request.actor, reason=_reason(request), now=timezone.now()
        )
        messages.success(request, _("%(name)s may act again.") % {"name": row.name})
    return go(request, "staff-organisations")


def _reason(request: WebRequest) -> str:
    form = ReasonForm(request.POST)
    return str(form.cleaned_data["reason"]) if form.is_valid() else ""
