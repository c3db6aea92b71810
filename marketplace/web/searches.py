"""Searches that a buyer keeps: saved from the list, told of, changed and given up."""

from uuid import uuid4

from django import forms
from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_POST, require_safe

from marketplace.accounts.capabilities import Capability
from marketplace.market import services
from marketplace.market.models import SavedSearch

from .http import WebRequest, go, login_needed, page, refusals, told
from .search import FilterForm


class AlertsForm(forms.Form):
    alerts = forms.ChoiceField(label=lazy("Tell me"), choices=SavedSearch.Alerts.choices)


class SaveForm(AlertsForm):
    name = forms.CharField(label=lazy("Name of this search"), max_length=40)
    query = forms.CharField(widget=forms.HiddenInput, required=False, max_length=1000)
    request_id = forms.UUIDField(widget=forms.HiddenInput)


@login_needed
@require_safe
def saved(request: WebRequest) -> HttpResponse:
    """List what I keep looking for."""
    request.actor.require(Capability.BID_PLACE)
    rows = SavedSearch.objects.visible_to(request.actor).order_by("-pk")[: services.MOST_SEARCHES]
    kept = [
        (row, AlertsForm(initial={"alerts": row.alerts}, auto_id=f"{row.pk}_%s")) for row in rows
    ]
    return page(request, "web/market/searches.html", {"kept": kept})


@login_needed
def save(request: WebRequest) -> HttpResponse:
    """Keep a search, with a name."""
    request.actor.require(Capability.BID_PLACE)
    query = request.GET.urlencode()[:1000]
    started = {"query": query, "request_id": uuid4(), "alerts": SavedSearch.Alerts.EACH}
    form = SaveForm(request.POST or None, initial=started)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        filters = FilterForm(QueryDict(given["query"]), actor=request.actor)
        wanted = filters.wanted
        if wanted is None:
            form.add_error(None, _("This search makes no sense any more. Change it first."))
        else:
            with refusals(form):
                services.save_search(
                    actor=request.actor, wanted=wanted, now=timezone.now(), **given
                )
                messages.success(request, _("Kept. We tell you when such lots come up."))
                return go(request, "saved-searches")
    status = 422 if form.errors else 200
    return page(request, "web/market/save_search.html", {"form": form}, status=status)


@login_needed
@require_POST
def alerts(request: WebRequest, pk: int) -> HttpResponse:
    """Choose how to be told, or not at all."""
    found = get_object_or_404(SavedSearch.objects.visible_to(request.actor), pk=pk)
    form = AlertsForm(request.POST)
    if form.is_valid():
        with told(request):
            services.change_alerts(found, actor=request.actor, **form.cleaned_data)
            messages.success(request, _("Changed."))
    return go(request, "saved-searches")


@login_needed
@require_POST
def forget(request: WebRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(SavedSearch.objects.visible_to(request.actor), pk=pk)
    with told(request):
        services.forget_search(found, actor=request.actor)
        messages.success(request, _("Given up."))
    return go(request, "saved-searches")
