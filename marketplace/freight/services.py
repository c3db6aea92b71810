"""Freight: carriers say what they ask, a load is put to all who may carry it, one offer is chosen."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from marketplace.accounts.actors import SYSTEM, Actor
from marketplace.accounts.capabilities import Capability
from marketplace.accounts.models import Licence, Organisation
from marketplace.core.errors import Refused
from marketplace.core.locks import lock_word
from marketplace.core.money import payable, split
from marketplace.journal.services import enqueue, record
from marketplace.reference.models import LicenceType
from marketplace.reference.queries import RateMissing, convert, parameter

from . import rules
from .events import QuoteChosen, QuotesOffered, QuotesRequested
from .models import FreightQuote, QuoteRound, RateCard

GATHER = "freight.gather_quotes"
NEXT_DAY = timedelta(days=1)


class RateCardRefused(Refused):
    code = "rate_card_refused"


class LoadRefused(Refused):
    code = "load_refused"


class QuoteRefused(Refused):
    code = "quote_refused"


class TooLate(QuoteRefused):
    code = "quote_too_late"


class RoundRefused(Refused):
    code = "quote_round_refused"


@dataclass(frozen=True, slots=True)
class Place:
    """One end of a trip. The position is rounded to about a kilometre."""

    country: str
    name: str
    latitude: Decimal
    longitude: Decimal

    @property
    def position(self) -> rules.Position:
        return float(self.latitude), float(self.longitude)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a rate card says to a round, in the round's currency."""

    quote_id: int
    price: Decimal
    parts: list[dict[str, str]]
    pickup_on: date


# --- rate cards -----------------------------------------------------------------------------------


@transaction.atomic
def publish_rate_card(
    licence: Licence,
    *,
    actor: Actor,
    name: str,
    currency: str,
    base: Decimal,
    per_km: Decimal,
    per_kg: Decimal,
    dangerous_goods_share: Decimal,
    countries: Sequence[str],
    centre_latitude: Decimal,
    centre_longitude: Decimal,
    radius_km: int,
    capacity_kg: Decimal,
    request_id: UUID,
    now: datetime,
    answers_itself: bool = True,
) -> RateCard:
    """Say what a carrier asks. From now on it is asked for every load that the card covers.

    Asking again with the same ``request_id`` returns the same card.

    :param answers_itself: answer each question from the card at once; else it waits for the carrier's hand
    :raises PermissionDenied: if the actor may not quote, or the licence is another organisation's
    :raises RateCardRefused: if the licence does not allow carrying today, or a number makes no sense
    """
    carrier_id = actor.require(Capability.FREIGHT_QUOTE, of=licence.organisation_id)
    lock_word(f"rate card:{carrier_id}:{request_id}")
    if repeated := RateCard.objects.filter(carrier_id=carrier_id, request_id=request_id).first():
        return repeated
    _sensible(base=base, per_km=per_km, per_kg=per_kg, dangerous_goods_share=dangerous_goods_share)
    if radius_km <= 0:
        raise RateCardRefused(
            _("Say how far you drive to a pick-up: at least 1 km."), field="radius_km"
        )
    if capacity_kg <= 0:
        raise RateCardRefused(
            _("Say how much your vehicle takes: more than 0 kg."), field="capacity_kg"
        )
    if not countries:
        raise RateCardRefused(_("Choose at least one country."), field="countries")
    allowed = Licence.objects.may_open(LicenceType.Use.CARRY, on=now.date()).filter(pk=licence.pk)
    if not allowed.exists():
        raise RateCardRefused(
            _("Choose a verified licence to carry that is valid today."), field="licence"
        )
    return RateCard.objects.create(
        carrier_id=carrier_id,
        licence=licence,
        name=name.strip() or licence.number,
        currency=currency,
        base=base,
        per_km=per_km,
        per_kg=per_kg,
        dangerous_goods_share=dangerous_goods_share,
        countries=sorted(set(countries)),
        centre_latitude=centre_latitude,
        centre_longitude=centre_longitude,
        radius_km=radius_km,
        capacity_kg=capacity_kg,
        answers_itself=answers_itself,
        created_at=now,
        request_id=request_id,
    )


@transaction.atomic
def retire_rate_card(card: RateCard, *, actor: Actor) -> RateCard:
    """Take a card off the market. What it has offered stands. Retiring it again changes nothing.

    :raises PermissionDenied: if the actor is not of the carrier
    """
    actor.require(Capability.FREIGHT_QUOTE, of=card.carrier_id)
    card = RateCard.objects.lock(card)
    card.active = False
    card.save(update_fields=["active"])
    return card


def _sensible(**amounts: Decimal) -> None:
    for field, amount in amounts.items():
        if not amount.is_finite() or amount < 0:
            raise RateCardRefused(_("Enter 0 or more."), field=field)
    if amounts["dangerous_goods_share"] > 9:
        raise RateCardRefused(
            _("Enter the surcharge as a share: 0.15 is 15 percent."), field="dangerous_goods_share"
        )


# --- asking ---------------------------------------------------------------------------------------


@transaction.atomic
def request_quotes(
    *,
    purpose: str,
    asked_by: Organisation,
    origin: Place,
    destination: Place,
    mass_kg: Decimal,
    un_number: str,
    chemistry_code: str,
    currency: str,
    now: datetime,
    actor: Actor = SYSTEM,
    minutes: int | None = None,
) -> QuoteRound:
    """Ask every carrier that may and can take a load what it asks, and queue the answers of rate cards.

    While a round of this purpose is open, it is returned as it is. If no carrier is eligible, the round is offered
    at once with nothing in it: whoever reads it can ask again later.

    :param purpose: what it is for, such as "deal:17"
    :param minutes: time to answer by hand; the parameter QUOTE_DEADLINE_HOURS unless given
    :raises LoadRefused: if the mass is not positive
    """
    lock_word(f"quotes:{purpose}")
    rounds = QuoteRound.objects.filter(purpose=purpose).order_by("-round_number")
    latest = rounds.first()
    if latest is not None and latest.status != QuoteRound.Status.EXPIRED:
        return latest
    if mass_kg <= 0:
        raise LoadRefused(_("Say how much has to be carried."), field="mass_kg")
    if minutes is None:
        minutes = int(parameter("QUOTE_DEADLINE_HOURS", now.date()) * 60)
    factor = parameter("ROAD_FACTOR", now.date())

    asked = QuoteRound.objects.create(
        purpose=purpose,
        round_number=latest.round_number + 1 if latest else 1,
        asked_by=asked_by,
        from_country=origin.country,
        from_place=origin.name,
        from_latitude=origin.latitude,
        from_longitude=origin.longitude,
        to_country=destination.country,
        to_place=destination.name,
        to_latitude=destination.latitude,
        to_longitude=destination.longitude,
        distance_km=rules.road_km(origin.position, destination.position, factor),
        road_factor=factor,
        mass_kg=mass_kg,
        un_number=un_number,
        chemistry_code=chemistry_code,
        currency=currency,
        asked_at=now,
        deadline=now + timedelta(minutes=minutes),
    )
    cards = _eligible_cards(asked, on=now.date())
    FreightQuote.objects.bulk_create(
        FreightQuote(round=asked, carrier_id=card.carrier_id, rate_card=card) for card in cards
    )
    record(QuotesRequested(round_id=asked.pk, purpose=purpose), by=actor, at=now)
    if cards:
        enqueue(GATHER, {"round": asked.pk}, now=now, dedupe_key=f"{GATHER}:{asked.pk}")
    else:
        _offer(asked, now=now)
    return asked


@transaction.atomic
def ask_again(asked: QuoteRound, *, actor: Actor, now: datetime) -> QuoteRound:
    """Put the same load to the carriers once more, when the last offers did not suit.

    :raises PermissionDenied: if the actor is not of whoever asked
    :raises RoundRefused: if the round is still open for answers, or has been chosen from
    """
    actor.require(Capability.DEAL_BUY, of=asked.asked_by_id)
    asked = QuoteRound.objects.lock(asked)
    if asked.status == QuoteRound.Status.ASKING:
        raise RoundRefused(_("Carriers are still answering. Wait until the time is over."))
    if asked.status == QuoteRound.Status.CHOSEN:
        raise RoundRefused(_("A carrier has been chosen already."))
    newer = QuoteRound.objects.filter(
        purpose=asked.purpose, round_number__gt=asked.round_number
    ).order_by("-round_number")
    if asked.status == QuoteRound.Status.EXPIRED and (latest := newer.first()) is not None:
        return latest
    _expire(asked)
    return request_quotes(
        purpose=asked.purpose,
        asked_by=asked.asked_by,
        origin=Place(
            asked.from_country, asked.from_place, asked.from_latitude, asked.from_longitude
        ),
        destination=Place(asked.to_country, asked.to_place, asked.to_latitude, asked.to_longitude),
        mass_kg=asked.mass_kg,
        un_number=asked.un_number,
        chemistry_code=asked.chemistry_code,
        currency=asked.currency,
        actor=actor,
        now=now,
    )


@transaction.atomic
def call_off(*, purpose: str) -> None:
    """End every open round of a purpose that has fallen away. Calling it off again changes nothing."""
    open_ones = QuoteRound.objects.filter(
        purpose=purpose, status__in=[QuoteRound.Status.ASKING, QuoteRound.Status.OFFERED]
    )
    for asked in open_ones.select_for_update(no_key=True).order_by("pk"):
        _expire(asked)


def _eligible_cards(asked: QuoteRound, *, on: date) -> list[RateCard]:
    """Return one card per carrier: its newest that covers the load."""
    licences = Licence.objects.may_open(LicenceType.Use.CARRY, on=on)
    if asked.chemistry_code:
        licences = licences.filter(materials__contains=[asked.chemistry_code])
    cards = RateCard.objects.filter(
        active=True,
        licence__in=licences,
        carrier__status=Organisation.Status.ACTIVE,
        capacity_kg__gte=asked.mass_kg,
        countries__contains=sorted({asked.from_country, asked.to_country}),
    )
    load = rules.Load(
        origin=(float(asked.from_latitude), float(asked.from_longitude)),
        from_country=asked.from_country,
        to_country=asked.to_country,
        mass_kg=asked.mass_kg,
    )
    by_carrier: dict[int, RateCard] = {}
    for card in cards.order_by("-pk"):
        offered = rules.Offered(
            centre=(float(card.centre_latitude), float(card.centre_longitude)),
            radius_km=card.radius_km,
            countries=card.countries,
            capacity_kg=card.capacity_kg,
        )
        if rules.carries(offered, load):
            by_carrier.setdefault(card.carrier_id, card)
    return sorted(by_carrier.values(), key=lambda card: card.pk)


# --- answering ------------------------------------------------------------------------------------


def answers_of_cards(round_id: int, *, now: datetime) -> list[Answer]:
    """Work out what the rate cards answer to a round. The slow part: call outside a transaction.

    A card whose currency cannot be converted stays unanswered: its carrier may answer by hand.
    """
    asked = QuoteRound.objects.get(pk=round_id)
    waiting = asked.quotes.filter(
        status=FreightQuote.Status.REQUESTED, rate_card__answers_itself=True
    )
    answers = []
    for quote in waiting.select_related("rate_card").order_by("pk"):
        with suppress(RateMissing):
            answers.append(_answer(quote, asked, now=now))
    return answers


def _answer(quote: FreightQuote, asked: QuoteRound, *, now: datetime) -> Answer:
    card = quote.rate_card
    if card is None:
        raise LookupError(f"Quote {quote.pk} has no rate card to answer from.")
    rates = rules.Rates(card.base, card.per_km, card.per_kg, card.dangerous_goods_share)
    exact = rules.price_parts(
        rates,
        distance_km=asked.distance_km,
        mass_kg=asked.mass_kg,
        is_dangerous=bool(asked.un_number),
    )
    amounts = [convert(part.amount, card.currency, asked.currency, now.date()) for part in exact]
    price = payable(sum(amounts, Decimal(0)), asked.currency)
    rounded = split(price, amounts, asked.currency) if price else [Decimal(0)] * len(amounts)
    parts = [
        {"code": part.code, "amount": str(amount)}
        for part, amount in zip(exact, rounded, strict=True)
        if amount
    ]
    return Answer(quote.pk, price, parts, (now + NEXT_DAY).date())


@transaction.atomic
def store_answers(round_id: int, answers: Sequence[Answer], *, now: datetime) -> QuoteRound:
    """Write down what the rate cards answered; offer the round once everybody has."""
    asked = QuoteRound.objects.lock(QuoteRound(pk=round_id))
    if asked.status != QuoteRound.Status.ASKING:
        return asked
    by_quote = {answer.quote_id: answer for answer in answers}
    waiting = asked.quotes.filter(status=FreightQuote.Status.REQUESTED, pk__in=by_quote)
    for quote in waiting.order_by("pk"):
        answer = by_quote[quote.pk]
        quote.enter(FreightQuote.Status.RECEIVED)
        quote.price, quote.parts, quote.pickup_on = answer.price, answer.parts, answer.pickup_on
        quote.answered_at = now
        quote.save(update_fields=["status", "price", "parts", "pickup_on", "answered_at"])
    if not asked.quotes.filter(status=FreightQuote.Status.REQUESTED).exists():
        _offer(asked, now=now)
    return asked


@transaction.atomic
def answer_quote(
    quote: FreightQuote, *, actor: Actor, price: Decimal, pickup_on: date, now: datetime
) -> FreightQuote:
    """Answer by hand what the transport costs, in the round's currency. The last one to answer ends the round.

    Answering the same again changes nothing.

    :raises PermissionDenied: if the actor is not of the carrier that was asked
    :raises QuoteRefused: if the price is not positive, the day has passed, or it has been answered
    :raises TooLate: if the time to answer is over
    """
    actor.require(Capability.FREIGHT_QUOTE, of=quote.carrier_id)
    asked = QuoteRound.objects.lock(quote.round)
    quote = FreightQuote.objects.lock(quote)
    said = (quote.price, quote.pickup_on)
    if quote.status == FreightQuote.Status.RECEIVED and said == (price, pickup_on):
        return quote
    if asked.status != QuoteRound.Status.ASKING or now >= asked.deadline:
        raise TooLate(_("The time to answer is over. You will be asked again for the next load."))
    if quote.status != FreightQuote.Status.REQUESTED:
        raise QuoteRefused(_("You have answered already. Your offer stands."))
    if not price.is_finite() or price <= 0 or price != payable(price, asked.currency):
        raise QuoteRefused(
            _("Enter a price above 0 that can be paid in %(currency)s.")
            % {"currency": asked.currency},
            field="price",
        )
    if pickup_on < now.date():
        raise QuoteRefused(_("Choose a pick-up day from today on."), field="pickup_on")

    quote.enter(FreightQuote.Status.RECEIVED)
    quote.price, quote.pickup_on, quote.answered_at = price, pickup_on, now
    quote.parts = [{"code": "by_hand", "amount": str(price)}]
    quote.save(update_fields=["status", "price", "pickup_on", "answered_at", "parts"])
    if not asked.quotes.filter(status=FreightQuote.Status.REQUESTED).exists():
        _offer(asked, now=now)
    return quote


@transaction.atomic
def decline_quote(quote: FreightQuote, *, actor: Actor, now: datetime) -> FreightQuote:
    """Say no to a load. The last one to answer ends the round. Declining again changes nothing.

    :raises PermissionDenied: if the actor is not of the carrier that was asked
    :raises QuoteRefused: if it has been answered already
    """
    actor.require(Capability.FREIGHT_QUOTE, of=quote.carrier_id)
    asked = QuoteRound.objects.lock(quote.round)
    quote = FreightQuote.objects.lock(quote)
    if quote.status == FreightQuote.Status.DECLINED:
        return quote
    if quote.status != FreightQuote.Status.REQUESTED:
        raise QuoteRefused(_("You have answered already. Your offer stands."))
    quote.enter(FreightQuote.Status.DECLINED)
    quote.answered_at = now
    quote.save(update_fields=["status", "answered_at"])
    if not asked.quotes.filter(status=FreightQuote.Status.REQUESTED).exists():
        _offer(asked, now=now)
    return quote


@transaction.atomic
def end_round(asked: QuoteRound, *, now: datetime) -> QuoteRound:
    """Offer what came in by the deadline. Ending it again, or too early, changes nothing."""
    asked = QuoteRound.objects.lock(asked)
    if asked.status == QuoteRound.Status.ASKING and now >= asked.deadline:
        _offer(asked, now=now)
    return asked


def _offer(asked: QuoteRound, *, now: datetime) -> None:
    """Rank what came in and show it to whoever asked. Whoever has not answered is out."""
    received = list(asked.quotes.filter(status=FreightQuote.Status.RECEIVED))
    by_key = {quote.pk: quote for quote in received}
    offers = [
        rules.Offer(quote.pk, quote.price, quote.pickup_on)
        for quote in received
        if quote.price is not None
    ]
    for rank, offer in enumerate(rules.ranked(offers), start=1):
        by_key[offer.key].rank = rank
    FreightQuote.objects.bulk_update(received, ["rank"])
    asked.quotes.filter(status=FreightQuote.Status.REQUESTED).update(
        status=FreightQuote.Status.EXPIRED
    )
    asked.enter(QuoteRound.Status.OFFERED)
    asked.save(update_fields=["status"])
    record(QuotesOffered(round_id=asked.pk, purpose=asked.purpose), by=SYSTEM, at=now)


def _expire(asked: QuoteRound) -> None:
    open_ones = [FreightQuote.Status.REQUESTED, FreightQuote.Status.RECEIVED]
    asked.quotes.filter(status__in=open_ones).update(status=FreightQuote.Status.EXPIRED)
    asked.enter(QuoteRound.Status.EXPIRED)
    asked.save(update_fields=["status"])


# --- choosing -------------------------------------------------------------------------------------


@transaction.atomic
def choose_quote(quote: FreightQuote, *, actor: Actor, now: datetime) -> FreightQuote:
    """Choose the carrier. Choosing the same offer again changes nothing.

    :raises PermissionDenied: if the actor is not of whoever asked
    :raises QuoteRefused: if another has been chosen, the offer has lapsed, or the carrier's licence has
    """
    actor.require(Capability.DEAL_BUY, of=quote.round.asked_by_id)
    asked = QuoteRound.objects.lock(quote.round)
    quote = FreightQuote.objects.lock(quote)
    if quote.status == FreightQuote.Status.CHOSEN:
        return quote
    if asked.status == QuoteRound.Status.CHOSEN:
        raise QuoteRefused(_("Another carrier has been chosen already."))
    if asked.status == QuoteRound.Status.ASKING:
        raise QuoteRefused(_("Carriers are still answering. Choose once the offers are in."))
    if quote.status != FreightQuote.Status.RECEIVED:
        raise QuoteRefused(_("This offer no longer stands. Choose another, or ask again."))
    if not _may_carry(quote, asked, on=now.date()):
        raise QuoteRefused(_("This carrier's licence has lapsed. Choose another offer."))

    quote.enter(FreightQuote.Status.CHOSEN)
    quote.save(update_fields=["status"])
    others = asked.quotes.filter(status=FreightQuote.Status.RECEIVED)
    others.update(status=FreightQuote.Status.EXPIRED)
    asked.enter(QuoteRound.Status.CHOSEN)
    asked.save(update_fields=["status"])
    record(
        QuoteChosen(round_id=asked.pk, quote_id=quote.pk, purpose=asked.purpose), by=actor, at=now
    )
    return quote


def _may_carry(quote: FreightQuote, asked: QuoteRound, *, on: date) -> bool:
    licences = Licence.objects.may_open(LicenceType.Use.CARRY, on=on).filter(
        organisation=quote.carrier_id
    )
    if asked.chemistry_code:
        licences = licences.filter(materials__contains=[asked.chemistry_code])
    return licences.exists()
