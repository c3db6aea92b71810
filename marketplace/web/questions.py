"""Questions and answers on an auction's page."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_POST

from marketplace.accounts.capabilities import Capability
from marketplace.market import services
from marketplace.market.models import Auction, Question

from .http import WebRequest, go, login_needed, told

SHOWN = 30


class AskForm(forms.Form):
    text = forms.CharField(
        label=lazy("Your question"),
        help_text=lazy("Everybody reads it with the answer. Nobody reads who asked."),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    request_id = forms.UUIDField(widget=forms.HiddenInput)


class AnswerForm(forms.Form):
    text = forms.CharField(label=lazy("Your answer"), max_length=1000)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as one reader sees it."""

    question: Question
    is_mine: bool
    may_answer: bool


def questions_of(request: WebRequest, auction: Auction) -> dict[str, Any]:
    """Return what the auction's page needs to show its questions."""
    me = request.actor.organisation_id
    is_sellers = me == auction.lot.seller_id and request.actor.may(Capability.AUCTION_OPEN)
    is_running = auction.status in (Auction.Status.SCHEDULED, Auction.Status.OPEN)
    rows = Question.objects.visible_to(request.actor).filter(auction=auction).order_by("-pk")
    may_ask = is_running and not is_sellers and request.actor.may(Capability.BID_PLACE)
    return {
        "questions": [
            Asked(
                question=row,
                is_mine=row.asker_id == me,
                may_answer=is_sellers and row.answered_at is None and auction.closed_at is None,
            )
            for row in rows[:SHOWN]
        ],
        "ask_form": AskForm(initial={"request_id": uuid4()}) if may_ask else None,
    }


@login_needed
@require_POST
def ask(request: WebRequest, pk: int) -> HttpResponse:
    auction = get_object_or_404(Auction.objects.visible_to(request.actor), pk=pk)
    form = AskForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Write what you want to know, in at most 500 letters."))
        return go(request, "auction", pk)
    with told(request):
        services.ask(auction, actor=request.actor, now=timezone.now(), **form.cleaned_data)
        messages.success(request, _("Asked. The seller is told, and answers here."))
    return go(request, "auction", pk)


@login_needed
@require_POST
def answer(request: WebRequest, pk: int, number: int) -> HttpResponse:
    rows = Question.objects.visible_to(request.actor).filter(auction=pk)
    question = get_object_or_404(rows.select_related("auction__lot"), pk=number)
    form = AnswerForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Write an answer, in at most 1000 letters."))
        return go(request, "auction", pk)
    with told(request):
        services.answer(question, actor=request.actor, now=timezone.now(), **form.cleaned_data)
        messages.success(request, _("Answered. Everybody can read it."))
    return go(request, "auction", pk)
