"""Money: what is available and what is held, the statement, adding money and being paid out."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_POST, require_safe

from marketplace.accounts.capabilities import Capability
from marketplace.accounts.models import Organisation
from marketplace.ledger import services
from marketplace.ledger.models import Account, Payment, Posting
from marketplace.ledger.queries import purpose_words

from .http import Keyset, WebRequest, go, login_needed, page, refusals

PAGE = 30


class AmountForm(forms.Form):
    amount = forms.DecimalField(
        label=lazy("Amount"),
        max_digits=20,
        decimal_places=6,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        error_messages={
            "required": lazy("Write how much."),
            "invalid": lazy("Write the amount in numbers, as 18500."),
        },
    )
    currency = forms.CharField(max_length=3, widget=forms.HiddenInput)
    request_id = forms.UUIDField(widget=forms.HiddenInput)


@login_needed
@require_safe
def money(request: WebRequest) -> HttpResponse:
    """Show what is ours, and every movement of it."""
    return _show(request)


@login_needed
@require_POST
def add(request: WebRequest) -> HttpResponse:
    """Add money through the payment service."""
    form = AmountForm(request.POST, prefix="add")
    if form.is_valid():
        with refusals(form):
            payment = services.top_up(actor=request.actor, now=timezone.now(), **form.cleaned_data)
            messages.success(request, _said(payment, _("The money is available.")))
            return go(request, "money")
    return _show(request, add_form=form, status=422)


@login_needed
@require_POST
def pay_out(request: WebRequest) -> HttpResponse:
    """Send available money to our bank or wallet."""
    form = AmountForm(request.POST, prefix="out")
    if form.is_valid():
        with refusals(form):
            payment = services.pay_out(actor=request.actor, now=timezone.now(), **form.cleaned_data)
            messages.success(request, _said(payment, _("The money is on its way to you.")))
            return go(request, "money")
    return _show(request, out_form=form, status=422)


def _said(payment: Payment, done: str) -> str:
    if payment.status == Payment.Status.ASKED:
        return _("We asked the payment service. You get a message when it answers.")
    return done


def _show(
    request: WebRequest,
    *,
    add_form: AmountForm | None = None,
    out_form: AmountForm | None = None,
    status: int = 200,
) -> HttpResponse:
    owner = request.actor.require(Capability.MONEY_MOVE)
    currency = (
        Organisation.objects.visible_to(request.actor)
        .values_list("currency", flat=True)
        .get(pk=owner)
    )
    accounts = Account.objects.visible_to(request.actor).filter(organisation_id=owner)
    postings = (
        Posting.objects.visible_to(request.actor)
        .filter(account__organisation_id=owner)
        .select_related("movement", "account")
    )
    statement = Keyset(postings, "-pk", size=PAGE, after=request.GET.get("after"))
    context: dict[str, Any] = {
        "pots": _pots(accounts, currency),
        "currency": currency,
        "page": statement,
        "rows": [(row, purpose_words(row.movement.purpose)) for row in statement.rows],
        "add_form": add_form or _fresh("add", currency),
        "out_form": out_form or _fresh("out", currency),
    }
    return page(request, "web/money/money.html", context, status=status)


def _pots(accounts: Any, currency: str) -> list[dict[str, Any]]:
    """Return a pair of balances per currency, one's own first."""
    pots: dict[str, dict[str, Any]] = {
        currency: {"currency": currency, "available": Decimal(0), "held": Decimal(0)}
    }
    for account in accounts.order_by("currency"):
        pot = pots.setdefault(
            account.currency,
            {"currency": account.currency, "available": Decimal(0), "held": Decimal(0)},
        )
        pot[account.kind.lower()] = account.balance
    return list(pots.values())


def _fresh(prefix: str, currency: str) -> AmountForm:
    return AmountForm(prefix=prefix, initial={"currency": currency, "request_id": uuid4()})
