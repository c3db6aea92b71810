"""What search knows of the auctions that are open: written when they open, removed when they end."""

from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.db.models import Max, Q

from marketplace.lots.queries import best_health, best_healths
from marketplace.market.models import Auction, Bid, Listing
from marketplace.market.rules import nearby
from marketplace.pricing.models import Valuation
from marketplace.reference.models import CurrencyRate
from marketplace.reference.queries import RateMissing, rate_to_usd

LATELY = timedelta(hours=1)
LATEST_BIDS = 50_000
LATEST_VALUATIONS = 2_000
BATCH = 500
TENTH_OF_A_MILL = Decimal("0.0001")


def list_auction(auction: Auction, *, now: datetime) -> Listing | None:
    """Let an open auction be found. Again: what is known of it now. None: its lot has no mass, or it is not open."""
    lot = auction.lot
    if auction.status != Auction.Status.OPEN or lot.mass_kg is None:
        return None
    claim = best_health(lot)
    newest = lot.valuations.order_by("-valued_at", "-pk").values_list("route", flat=True).first()
    place = None
    if lot.latitude is not None and lot.longitude is not None:
        place = int(lot.latitude * 100), int(lot.longitude * 100)
    listing, _created = Listing.objects.update_or_create(
        auction=auction,
        defaults={
            "lot": lot,
            "mode": auction.mode,
            "kind": lot.chemistry.letters if lot.chemistry else "",
            "chemistry": lot.chemistry_id or "",
            "origin": lot.origin,
            "country": lot.country,
            "place": lot.place,
            "mass_kg": lot.mass_kg,
            "health": claim.value if claim else lot.state_of_health,
            "route": newest or "",
            "usd_per_kg": _usd_per_kg(auction, lot.mass_kg, now.date()),
            "strip": nearby.strip_of(place[0] / 100) if place else None,
            "north": place[0] if place else None,
            "east": place[1] if place else None,
            "closes_at": auction.closes_at,
        },
    )
    return listing


def unlist_auction(auction: Auction) -> None:
    """Let an auction that ended not be found any more."""
    Listing.objects.filter(auction=auction).delete()


@transaction.atomic
def refresh_listings(*, now: datetime) -> int:
    """Bring listings up to date after new bids, valuations and health claims; return how many changed.

    Finds its work by state, so that to run late or twice changes nothing. A bid itself writes no listing: all bidders
    of a hot lot would wait for it.
    """
    return _refresh_prices(now) + _refresh_values(now)


def _refresh_prices(now: datetime) -> int:
    known = set(CurrencyRate.objects.values_list("currency", flat=True).distinct()) | {"USD"}
    unpriced = Q(usd_per_kg=None, auction__currency__in=known)
    rows = Listing.objects.filter(Q(auction__in=_bid_lately(now)) | unpriced).claim()
    stale = []
    for row in rows.select_related("auction").order_by("pk"):
        price = _usd_per_kg(row.auction, row.mass_kg, now.date())
        if (price, row.auction.closes_at) != (row.usd_per_kg, row.closes_at):
            row.usd_per_kg, row.closes_at = price, row.auction.closes_at
            stale.append(row)
    return Listing.objects.bulk_update(stale, ["usd_per_kg", "closes_at"], batch_size=BATCH)


def _refresh_values(now: datetime) -> int:
    newest = Valuation.objects.aggregate(pk=Max("pk"))["pk"] or 0
    valued = Valuation.objects.filter(
        pk__gt=newest - LATEST_VALUATIONS, valued_at__gt=now - LATELY
    ).order_by("lot_id", "-valued_at", "-pk")
    routes = dict(valued.distinct("lot_id").values_list("lot_id", "route"))
    rows = list(
        Listing.objects.filter(lot__in=list(routes)).claim().select_related("lot").order_by("pk")
    )
    claims = best_healths([row.lot for row in rows])
    stale = []
    for row in rows:
        claim = claims.get(row.lot_id)
        found = routes[row.lot_id], claim.value if claim else row.lot.state_of_health
        if found != (row.route, row.health):
            row.route, row.health = found
            stale.append(row)
    return Listing.objects.bulk_update(stale, ["route", "health"], batch_size=BATCH)


def _bid_lately(now: datetime) -> list[int]:
    """Return the auctions with new bids. Along the key of the bids: they have no index by time, and need none."""
    newest = Bid.objects.aggregate(pk=Max("pk"))["pk"] or 0
    bids = Bid.objects.filter(pk__gt=newest - LATEST_BIDS, placed_at__gt=now - LATELY)
    return list(bids.order_by("auction_id").values_list("auction_id", flat=True).distinct())


def _usd_per_kg(auction: Auction, mass_kg: Decimal, on: date) -> Decimal | None:
    """Return what a kilogram costs now, at which a sealed auction begins; none where its currency has no rate."""
    is_hidden = auction.mode != Auction.Mode.OPEN or auction.price is None
    price = auction.starting_price if is_hidden else auction.price
    try:
        rate = rate_to_usd(auction.currency, on)
    except RateMissing:
        return None
    return (Decimal(price or 0) * rate / mass_kg).quantize(TENTH_OF_A_MILL)
