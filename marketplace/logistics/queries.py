from marketplace.freight.models import QuoteRound

from . import rules
from .models import Handover, Shipment


def purpose_of(shipment: Shipment) -> str:
    """Return what the quotes of a shipment are asked for, as "deal:17"."""
    return f"deal:{shipment.deal_id}"


def deal_of(purpose: str) -> int | None:
    """Return the deal that quotes were asked for; none, if they are for something else.

    >>> deal_of("deal:17"), deal_of("pool:3")
    (17, None)
    """
    kind, _colon, number = purpose.partition(":")
    return int(number) if kind == "deal" and number.isdecimal() else None


def latest_round(shipment: Shipment) -> QuoteRound | None:
    """Return the newest question to the carriers about a shipment."""
    rounds = QuoteRound.objects.filter(purpose=purpose_of(shipment))
    return rounds.order_by("-round_number").first()


def chain_of(shipment: Shipment) -> list[tuple[rules.Link, str]]:
    """Return the hand-overs as they are fingerprinted, in order, each with what was written beside it."""
    return [(link_of(row), row.sha256) for row in shipment.handovers.order_by("sequence")]


def link_of(row: Handover) -> rules.Link:
    return rules.Link(
        shipment=row.shipment_id,
        sequence=row.sequence,
        giver=row.from_organisation_id,
        taker=row.to_organisation_id,
        mass_kg=rules.grams(row.mass_kg),
        confirmed_by=row.confirmed_by_id,
        handed_at=row.handed_at.isoformat(),
        previous=row.previous_sha256,
    )
