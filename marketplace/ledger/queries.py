from collections.abc import Mapping
from decimal import Decimal

from django.db.models import Sum

from marketplace.accounts.models import Organisation

from .models import Account, Posting


def balance(*, organisation: Organisation | int, kind: str, currency: str) -> Decimal:
    """Return what is in one of an organisation's pots."""
    rows = Account.objects.filter(
        organisation_id=owner_id(organisation), kind=kind, currency=currency
    )
    return rows.values_list("balance", flat=True).first() or Decimal(0)


def held_for(*, organisation: Organisation | int, purpose: str, currency: str) -> Decimal:
    """Return what is held from an organisation for one purpose, as "deal:17"."""
    return held_for_each([(owner_id(organisation), purpose)], currency=currency)[
        owner_id(organisation), purpose
    ]


def held_for_each(
    holds: list[tuple[int, str]], *, currency: str
) -> Mapping[tuple[int, str], Decimal]:
    """Return what is held for many (owner, purpose), in one query."""
    sums = (
        Posting.objects.filter(
            account__kind=Account.Kind.HELD,
            account__organisation_id__in={owner for owner, _purpose in holds},
            movement__purpose__in={purpose for _owner, purpose in holds},
            currency=currency,
        )
        .values_list("account__organisation_id", "movement__purpose")
        .annotate(held=Sum("amount"))
        .order_by()
    )
    found = {(owner, purpose): held for owner, purpose, held in sums if owner is not None}
    return {hold: found.get(hold, Decimal(0)) for hold in holds}


def house_balance(kind: str, currency: str) -> Decimal:
    """Return what one of the house's pots holds: the sum of its postings, for no running balance is kept."""
    rows = Posting.objects.filter(account__organisation=None, account__kind=kind, currency=currency)
    return rows.aggregate(total=Sum("amount"))["total"] or Decimal(0)


def owner_id(organisation: Organisation | int) -> int:
    """Return the key of an organisation, given as row or as key.

    >>> owner_id(7)
    7
    """
    return organisation if isinstance(organisation, int) else organisation.pk


def purpose_words(purpose: str) -> tuple[str, int | None]:
    """Return what a purpose speaks of, and its number.

    >>> purpose_words("deal:17"), purpose_words("")
    (('deal', 17), ('', None))
    """
    about, _colon, number = purpose.partition(":")
    number = number.partition(":")[0]
    return about, int(number) if number.isdecimal() else None
