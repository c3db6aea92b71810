"""What the services and pages ask about auctions."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db.models import DecimalField, F, OuterRef, Q, Subquery, Value
from django.db.models.functions import Coalesce

from marketplace.accounts.actors import Actor
from marketplace.accounts.models import Licence, LicenceYear
from marketplace.lots.models import Lot
from marketplace.pricing.models import Valuation

from . import rules
from .models import Auction, Award, Bid


def terms_of(auction: Auction) -> rules.Terms:
    return rules.Terms(auction.starting_price, auction.reserve, auction.step)


def offers_of(auction: Auction) -> list[rules.Offer]:
    """Return all bids of an auction in the order in which they were placed."""
    rows = Bid.objects.filter(auction=auction).order_by("pk").values_list("bidder_id", "maximum")
    return [rules.Offer(bidder, maximum) for bidder, maximum in rows]


def standing_of(auction: Auction) -> rules.Standing | None:
    """Return who leads an open auction, from its row and the one bid that leads. For services: it holds a secret."""
    if auction.leader_id is None or auction.price is None:
        return None
    best = Bid.objects.filter(auction=auction).order_by("-maximum", "pk")
    maximum = best.values_list("maximum", flat=True)[:1].get()
    return rules.Standing(auction.leader_id, auction.price, maximum)


def bidding_licence(
    *, bidder_id: int, chemistry_code: str | None, country: str, mass_kg: Decimal, on: date
) -> Licence | None:
    """Return a licence under which a bidder may bid for such a lot, in one query: placing a bid is the hot path.

    None says nothing about why; ``accounts.services.open_licence`` does.
    """
    kilograms: DecimalField[Decimal, Decimal] = DecimalField(max_digits=12, decimal_places=3)
    drawn = LicenceYear.objects.filter(licence=OuterRef("pk"), year=on.year).values("drawn_kg")
    rows = (
        Licence.objects.filter(
            organisation_id=bidder_id, organisation__status="ACTIVE", country=country
        )
        .may_open("BID", on=on)
        .alias(drawn=Coalesce(Subquery(drawn[:1]), Value(Decimal(0)), output_field=kilograms))
        .filter(Q(annual_mass_kg=None) | Q(annual_mass_kg__gte=F("drawn") + mass_kg))
    )
    if chemistry_code is not None:
        rows = rows.filter(materials__contains=[chemistry_code])
    return rows.order_by("pk").first()


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Terms that a seller may start from."""

    starting_price: Decimal
    reserve: Decimal
    step: Decimal
    valuation: Valuation | None


def suggested_terms(lot: Lot) -> Suggestion | None:
    """Return terms from the lot's latest valuation: the reserve is its low end. None: it is not valued yet."""
    valuation = lot.valuations.order_by("-valued_at", "-pk").first()
    if valuation is None:
        return None
    return Suggestion(*rules.suggested_prices(valuation.low, valuation.currency), valuation)


def current_auction(lot: Lot, actor: Actor) -> Auction | None:
    """Return the lot's latest auction, if the actor may see it."""
    rows = Auction.objects.visible_to(actor).filter(lot=lot)
    return rows.select_related("lot").order_by("-attempt").first()


def award_of(auction: Auction, actor: Actor) -> Award | None:
    """Return the actor's rung of the ladder; for the seller the winner's."""
    rows = Award.objects.visible_to(actor).filter(auction=auction)
    mine = rows.filter(bidder_id=actor.organisation_id).first()
    return mine or rows.filter(status=Award.Status.WON).first()
