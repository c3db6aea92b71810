"""The ledger's verbs. Each writes one movement whose legs sum to zero, once per ``key``.

They take no actor: the rooms above ask permission for the thing that money follows (a bid, a deal). Only paying in
and paying out are asked for by a person, and take one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.db.models import Count, F, Q, Sum
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from marketplace.accounts.actors import SYSTEM, Actor
from marketplace.accounts.capabilities import Capability
from marketplace.accounts.models import Organisation
from marketplace.core.errors import Refused
from marketplace.core.locks import lock_word
from marketplace.core.money import payable
from marketplace.journal.services import Finish, enqueue, record

from . import rules
from .events import LedgerReconciled, MoneyPaidIn, MoneyPaidOut, PaymentFailed
from .models import Account, Movement, Payment, Posting
from .payments import Answer, payment_service
from .queries import balance, held_for, held_for_each, owner_id
from .rules import Leg, Pot

__all__ = ["balance", "held_for"]

Owner = Organisation | int


class NotEnoughMoney(Refused):
    code = "not_enough_money"


class LessIsHeld(Refused):
    """Somebody asked for more than what is held for the purpose."""

    code = "less_is_held"


class KeyUsedOtherwise(Refused):
    """A key that has moved money is used again for something else."""

    code = "idempotency_mismatch"


class AmountRefused(Refused):
    code = "amount_refused"


class LedgerOutOfBalance(Exception):
    """The sums do not agree. The job that says so dies, and stands before the operator."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A movement that is asked for."""

    kind: str
    key: str
    purpose: str
    currency: str
    legs: Sequence[Leg]


@dataclass(frozen=True, slots=True)
class Held:
    """Money held from one organisation for one purpose, to be given back under one key."""

    organisation: Owner
    purpose: str
    key: str


# --- money that crosses our border ------------------------------------------------------------------


@transaction.atomic
def top_up(
    *, actor: Actor, amount: Decimal, currency: str, request_id: UUID, now: datetime
) -> Payment:
    """Ask the payment service for money from the actor's organisation. Once it comes, it is available.

    :raises PermissionDenied: if the actor may not move money
    :raises AmountRefused: if the amount cannot be paid
    """
    return _ask(Payment.Way.IN, actor, amount, currency, request_id, now)


@transaction.atomic
def pay_out(
    *, actor: Actor, amount: Decimal, currency: str, request_id: UUID, now: datetime
) -> Payment:
    """Send available money to the actor's organisation's bank or wallet. It can no longer be spent here.

    :raises PermissionDenied: if the actor may not move money
    :raises AmountRefused: if the amount cannot be paid
    :raises NotEnoughMoney: if less is available
    """
    return _ask(Payment.Way.OUT, actor, amount, currency, request_id, now)


def ask_payment_service(payment: Payment) -> Finish:
    """Ask the payment service to move the money (slow, outside any transaction); return what its answer does."""
    answer = _asked(payment)
    return lambda now: end_payment(payment, answer=answer, now=now)


@transaction.atomic
def end_payment(payment: Payment, *, answer: Answer, now: datetime) -> None:
    """Write down how a payment ended. A second answer changes nothing."""
    payment = Payment.objects.lock(payment)
    if payment.status != Payment.Status.ASKED:
        return
    payment.enter(Payment.Status.DONE if answer.is_done else Payment.Status.FAILED)
    payment.reference, payment.ended_at = answer.reference, now
    payment.reason = "" if answer.is_done else answer.reason or _("The payment service said no.")
    payment.save(update_fields=["status", "reference", "reason", "ended_at"])
    owner, purpose = payment.organisation_id, f"payment:{payment.pk}"
    comes_in = payment.way == Payment.Way.IN
    if answer.is_done and comes_in:
        _move(
            "TOP_UP", purpose, purpose, payment.currency, rules.top_up(owner, payment.amount), now
        )
        record(MoneyPaidIn(payment_id=payment.pk), by=SYSTEM, at=now)
    elif answer.is_done:
        record(MoneyPaidOut(payment_id=payment.pk), by=SYSTEM, at=now)
    else:
        if not comes_in:
            back = rules.top_up(owner, payment.amount)
            _move("REFUND", f"{purpose}:back", purpose, payment.currency, back, now)
        record(PaymentFailed(payment_id=payment.pk, reason=payment.reason), by=SYSTEM, at=now)


def _ask(
    way: str, actor: Actor, amount: Decimal, currency: str, request_id: UUID, now: datetime
) -> Payment:
    owner = actor.require(Capability.MONEY_MOVE)
    lock_word(f"payment:{owner}:{request_id}")
    if repeated := Payment.objects.filter(organisation_id=owner, request_id=request_id).first():
        if (repeated.way, repeated.amount, repeated.currency) != (way, amount, currency):
            raise KeyUsedOtherwise(_("This request was already used for another payment."))
        return repeated
    _refuse_unpayable(amount, currency)
    payment = Payment.objects.create(
        organisation_id=owner,
        way=way,
        amount=amount,
        currency=currency,
        asked_by_id=actor.user_id,  # type: ignore[misc]  # who acts for an organisation is a user
        request_id=request_id,
        asked_at=now,
    )
    if way == Payment.Way.OUT:
        purpose = f"payment:{payment.pk}"
        _move("PAY_OUT", purpose, purpose, currency, rules.pay_out(owner, amount), now)
    if payment_service().answers_at_once:
        end_payment(payment, answer=_asked(payment), now=now)
        payment.refresh_from_db()
    else:
        enqueue(
            "ledger.ask_payment_service",
            {"payment": payment.pk},
            now=now,
            dedupe_key=f"payment:{payment.pk}",
        )
    return payment


def _asked(payment: Payment) -> Answer:
    service = payment_service()
    ask = service.collect if payment.way == Payment.Way.IN else service.send
    return ask(key=f"payment-{payment.pk}", amount=payment.amount, currency=payment.currency)


def _refuse_unpayable(amount: Decimal, currency: str) -> None:
    if not amount.is_finite() or amount <= 0:
        raise AmountRefused(_("Give an amount above zero."), field="amount")
    if amount > Decimal(10) ** 12:
        raise AmountRefused(
            _("Give a smaller amount: this is more than can be paid."), field="amount"
        )
    if amount != payable(amount, currency):
        raise AmountRefused(
            _("Give an amount that can be paid in %(currency)s, without smaller parts.")
            % {"currency": currency},
            field="amount",
        )


# --- money inside the house ---------------------------------------------------------------------------


@transaction.atomic
def hold(
    *,
    organisation: Owner,
    amount: Decimal,
    currency: str,
    purpose: str,
    key: str,
    now: datetime,
) -> Movement:
    """Put available money aside for a purpose.

    :param purpose: as "auction:7" or "deal:17"
    :raises NotEnoughMoney: if less is available
    """
    legs = rules.hold(owner_id(organisation), amount)
    return _move("HOLD", key, purpose, currency, legs, now)


@transaction.atomic
def release(
    *,
    organisation: Owner,
    currency: str,
    purpose: str,
    key: str,
    now: datetime,
    amount: Decimal | None = None,
) -> Movement:
    """Give held money back to its owner.

    :param amount: none: all that is held for this purpose
    :raises LessIsHeld: if less is held for this purpose
    """
    return _give_back("RELEASE", organisation, amount, currency, purpose, key, now)


@transaction.atomic
def release_each(holds: Iterable[Held], *, currency: str, now: datetime) -> list[Movement]:
    """Give all of several holds back, with one round of locks. Holds with nothing left are passed over."""
    wanted = sorted(holds, key=lambda held: held.key)
    owners = [owner_id(held.organisation) for held in wanted]
    _accounts_of({Pot(owner, kind) for owner in owners for kind in ("AVAILABLE", "HELD")}, currency)
    left = held_for_each(
        [(owner, held.purpose) for owner, held in zip(owners, wanted, strict=True)],
        currency=currency,
    )
    drafts = [
        Draft(
            "RELEASE",
            held.key,
            held.purpose,
            currency,
            rules.release(owner, left[owner, held.purpose]),
        )
        for owner, held in zip(owners, wanted, strict=True)
        if left[owner, held.purpose] > 0
    ]
    return _post(drafts, now=now)


@transaction.atomic
def refund(
    *,
    organisation: Owner,
    currency: str,
    purpose: str,
    key: str,
    now: datetime,
    amount: Decimal | None = None,
) -> Movement:
    """Give held money back because the deal did not happen, wholly or in part.

    :param amount: none: all that is held for this purpose
    :raises LessIsHeld: if less is held for this purpose
    """
    return _give_back("REFUND", organisation, amount, currency, purpose, key, now)


@transaction.atomic
def forfeit(
    *,
    organisation: Owner,
    to: Owner,
    currency: str,
    purpose: str,
    key: str,
    now: datetime,
    amount: Decimal | None = None,
) -> Movement:
    """Give held money to the other side, because its owner did not keep their word.

    :param amount: none: all that is held for this purpose
    :raises LessIsHeld: if less is held for this purpose
    """
    if repeated := _repeated(key):
        return repeated
    owner, gets = owner_id(organisation), owner_id(to)
    _accounts_of({Pot(owner, "HELD"), Pot(gets, "AVAILABLE")}, currency)
    held = _held(owner, purpose, currency, at_least=amount)
    legs = rules.forfeit(owner, gets, held if amount is None else amount)
    return _move("FORFEIT", key, purpose, currency, legs, now)


@transaction.atomic
def settle(
    *,
    organisation: Owner,
    to: Owner,
    amount: Decimal,
    currency: str,
    purpose: str,
    key: str,
    now: datetime,
    fee: Decimal = Decimal(0),
    refund_rest: bool = True,
) -> Movement:
    """Pay ``amount`` of what is held from ``organisation`` for this purpose: to the seller, less the house's fee.

    What is held beyond that goes back to its owner, unless ``refund_rest`` is off (the disputed part stays frozen).

    :raises LessIsHeld: if less is held for this purpose
    """
    if repeated := _repeated(key):
        return repeated
    owner, gets = owner_id(organisation), owner_id(to)
    _accounts_of({Pot(owner, "HELD"), Pot(owner, "AVAILABLE"), Pot(gets, "AVAILABLE")}, currency)
    held = _held(owner, purpose, currency, at_least=amount)
    legs = rules.settle(owner, gets, held=held, amount=amount, fee=fee, refund_rest=refund_rest)
    return _move("SETTLE", key, purpose, currency, legs, now)


def _give_back(
    kind: str,
    organisation: Owner,
    amount: Decimal | None,
    currency: str,
    purpose: str,
    key: str,
    now: datetime,
) -> Movement:
    if repeated := _repeated(key):
        return repeated
    owner = owner_id(organisation)
    _accounts_of({Pot(owner, "HELD"), Pot(owner, "AVAILABLE")}, currency)
    held = _held(owner, purpose, currency, at_least=amount)
    legs = rules.release(owner, held if amount is None else amount)
    return _move(kind, key, purpose, currency, legs, now)


def _repeated(key: str) -> Movement | None:
    """Whoever asks "all that is held" again gets the first answer, although nothing is held any more."""
    lock_word(f"movement:{key}")
    return Movement.objects.filter(key=key).first()


def _held(owner: int, purpose: str, currency: str, *, at_least: Decimal | None) -> Decimal:
    held = held_for(organisation=owner, purpose=purpose, currency=currency)
    if held < (at_least or 0) or held <= 0:
        raise LessIsHeld(_("Less money is held for this than is to be moved. Reload the page."))
    return held


def _move(
    kind: str, key: str, purpose: str, currency: str, legs: Sequence[Leg], now: datetime
) -> Movement:
    return _post([Draft(kind, key, purpose, currency, legs)], now=now)[0]


def _post(drafts: Sequence[Draft], *, now: datetime) -> list[Movement]:
    """Write movements, each once per key; accounts of all of them are locked in one go, in primary key order.

    :raises KeyUsedOtherwise: if a key has already moved something else
    :raises NotEnoughMoney: if a pot would be overdrawn
    """
    prints = {
        draft.key: rules.fingerprint(draft.kind, draft.purpose, draft.currency, draft.legs)
        for draft in drafts
    }
    for key in sorted(prints):
        lock_word(f"movement:{key}")
    written = {row.key: row for row in Movement.objects.filter(key__in=list(prints))}
    for key, row in written.items():
        if row.legs_sha256 != prints[key]:
            raise KeyUsedOtherwise(_("This request has already moved other money."))
    for draft in drafts:
        if draft.key not in written:
            written[draft.key] = _write(draft, prints[draft.key], now)
    return [written[draft.key] for draft in drafts]


def _write(draft: Draft, legs_sha256: str, now: datetime) -> Movement:
    rules.check(draft.legs)
    accounts = _accounts_of({leg.pot for leg in draft.legs}, draft.currency)
    balances = rules.after({pot: row.balance for pot, row in accounts.items()}, draft.legs)
    if rules.overdrawn(balances):
        raise NotEnoughMoney(
            _("There is not enough money available. Add money first, then try again.")
        )
    movement = Movement.objects.create(
        key=draft.key, kind=draft.kind, purpose=draft.purpose, legs_sha256=legs_sha256, at=now
    )
    postings = []
    for leg in draft.legs:
        account, is_ours = accounts[leg.pot], leg.pot.kind in rules.HOUSE
        postings.append(
            Posting(
                movement=movement,
                account=account,
                currency=draft.currency,
                amount=leg.amount,
                balance_after=None if is_ours else balances[leg.pot],
            )
        )
        if not is_ours:
            account.balance = balances[leg.pot]
            account.save(update_fields=["balance"])
    Posting.objects.bulk_create(postings)
    return movement


def _accounts_of(pots: set[Pot], currency: str) -> dict[Pot, Account]:
    """Return the accounts, opened if need be; those with a running balance locked in primary key order."""
    found = _find(pots, currency)
    if missing := pots - found.keys():
        Account.objects.bulk_create(
            [
                Account(organisation_id=pot.owner or None, kind=pot.kind, currency=currency)
                for pot in sorted(missing)
            ],
            ignore_conflicts=True,
        )
        found = _find(pots, currency)
    return found


def _find(pots: set[Pot], currency: str) -> dict[Pot, Account]:
    owned = {pot for pot in pots if pot.owner}
    found = {}
    if owned:
        wanted = Q()
        for pot in owned:
            wanted |= Q(organisation_id=pot.owner, kind=pot.kind)
        rows = Account.objects.filter(wanted, currency=currency).order_by("pk")
        for row in rows.select_for_update(of=("self",), no_key=True):
            found[Pot(row.organisation_id or 0, row.kind)] = row
    if house := {pot.kind for pot in pots if not pot.owner}:
        for row in Account.objects.filter(organisation=None, kind__in=house, currency=currency):
            found[Pot(0, row.kind)] = row
    return found


# --- the nightly look ------------------------------------------------------------------------------------


def drift() -> list[str]:
    """Return, in words, every sum of the ledger that does not agree. An empty list is a sound ledger."""
    sums = Posting.objects.values("movement_id", "currency").annotate(
        total=Sum("amount"), legs=Count("pk")
    )
    wrong = [
        f"movement {row['movement_id']}: {row['legs']} legs, sum {row['total']}"
        for row in sums.exclude(total=0, legs__gte=2)
    ]
    totals = Coalesce(Sum("postings__amount"), Decimal(0))
    owned = Account.objects.exclude(organisation=None).annotate(total=totals)
    wrong += [
        f"account {pk}: balance {kept}, postings {total}"
        for pk, kept, total in owned.exclude(balance=F("total")).values_list(
            "pk", "balance", "total"
        )
    ]
    return wrong


def reconcile() -> Finish:
    """Compute every sum anew (slow); return what writes down that they agree.

    :raises LedgerOutOfBalance: if they do not; the job fails visibly, and stays until someone looks
    """
    if wrong := drift():
        raise LedgerOutOfBalance("; ".join(wrong[:20]))
    accounts, movements = Account.objects.count(), Movement.objects.count()

    def finish(now: datetime) -> None:
        record(LedgerReconciled(accounts=accounts, movements=movements), by=SYSTEM, at=now)

    return finish
