"""Answers to people who ask for a price by text message: no account, no screen, one text each way."""

from collections.abc import Mapping
from datetime import date, datetime
from hashlib import sha256
from typing import Any

import phonenumbers
from django.core.cache import cache
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from marketplace.accounts.addresses import is_phone, normal_address
from marketplace.core.errors import Refused
from marketplace.journal.services import enqueue
from marketplace.pricing.queries import public
from marketplace.pricing.rules import asking

from . import sms
from .wording import sentence

ANSWERS_AN_HOUR = 12
"""To one number: every answer costs money, and nobody asks more often for a good reason."""
HOUR_SECONDS = 3600


class TooManyQuestions(Refused):
    code = "too_many_questions"


@transaction.atomic
def ask_price(text: str, *, sender: str, message_id: str, now: datetime) -> None:
    """Queue the answer to a text message. The same message, delivered twice, is answered once.

    :param sender: a phone number with its country code
    :param message_id: the provider's; empty: made from the message and the minute
    :raises AddressRefused: if the sender is no number that could be answered
    :raises TooManyQuestions: after so many in an hour
    """
    to = normal_address(sender, field="from")
    if not is_phone(to):
        raise TooManyQuestions(_("Only phone numbers are answered."), field="from")
    named = message_id or f"{now:%Y%m%d%H%M}:{text}"
    key = sha256(f"{to}:{named}".encode()).hexdigest()[:32]
    if not cache.add(f"sms-in:{key}", 1, HOUR_SECONDS):
        return  # the provider tells it once more: the answer is on its way
    hour = f"sms-in:{to}:{int(now.timestamp()) // HOUR_SECONDS}"
    cache.add(hour, 0, HOUR_SECONDS)
    if cache.incr(hour) > ANSWERS_AN_HOUR:
        raise TooManyQuestions(_("Ask again in an hour."))
    enqueue(
        "notifications.answer_price",
        {"text": text[:160], "to": to, "on": now.date().isoformat(), "key": key},
        now=now,
        dedupe_key=f"sms-in:{key}",
    )


def send_answer(text: str, *, to: str, on: date, key: str) -> str:
    """Send the answer to a question, and return what it says."""
    said = answer(text, sender=to, on=on)
    sms.adapter().send(to=to, text=said, key=key)
    return said


def answer(text: str, *, sender: str, on: date) -> str:
    """Return what somebody is told who asks for a price, in the language of the question.

    :param sender: E.164; its country says in which money
    """
    asked = asking.parse(text)
    country = _country_of(sender)
    with translation.override(asked.language or ("id" if country == "ID" else "en")):
        if asked.misread:
            return sentence("price_help", {})
        try:
            found = public.estimate(
                asked.thing,
                kg=asked.kg,
                pieces=asked.pieces,
                chemistry=asked.chemistry,
                country=country,
                on=on,
            )
        except public.PriceUnknown:
            return sentence("price_unknown", {})
        return sentence(_template(found), _facts(found))


def _template(found: public.Estimate) -> str:
    if found.costs:
        return "price_costs"
    return "price_may_cost" if found.may_cost else "price_answer"


def _facts(found: public.Estimate) -> Mapping[str, Any]:
    amount = f"{found.kg.normalize():f} kg" if found.pieces is None else f"{found.pieces} pcs"
    return {
        "thing": found.name,
        "quantity": amount,
        "low": abs(found.low),
        "typical": found.typical,
        "high": abs(found.high),
        "currency": "Rp" if found.currency == "IDR" else found.currency,
    }


def _country_of(number: str) -> str:
    parsed = phonenumbers.parse(number, None)
    return str(phonenumbers.region_code_for_number(parsed) or "")
