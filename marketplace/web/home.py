"""The home page of somebody who is logged in: what waits for them, most urgent first."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from marketplace.accounts.actors import Actor
from marketplace.accounts.capabilities import Capability
from marketplace.accounts.models import Licence
from marketplace.deals.models import Deal, Dispute
from marketplace.deals.queries import deadline, mine_first
from marketplace.freight.models import FreightQuote
from marketplace.ledger.models import Account
from marketplace.logistics.models import Shipment
from marketplace.lots.models import Lot
from marketplace.market.models import Auction

SHOWN = 12  # of each kind; whoever has more works from the lists


@dataclass(frozen=True, slots=True)
class ToDo:
    """One thing that only this person's organisation can move on."""

    title: str
    about: str
    href: str
    icon: str
    by: datetime | None = None
    is_urgent: bool = False


def to_do(actor: Actor) -> list[ToDo]:
    """Return what waits for the actor's organisation: what is urgent first, then the nearest deadline."""
    if actor.organisation_id is None:
        return []
    found: list[ToDo] = []
    if actor.may(Capability.LOT_LIST):
        found += _lots(actor)
    if actor.may(Capability.DEAL_SELL) or actor.may(Capability.DEAL_BUY):
        found += _deals(actor)
    if actor.may(Capability.BID_PLACE):
        found += _outbid(actor)
    if actor.may(Capability.FREIGHT_QUOTE):
        found += _transport(actor)
    if actor.may(Capability.LICENCE_APPLY):
        found += _own_licences(actor)
    if actor.may(Capability.LICENCE_VERIFY):
        found += _verification(actor)
    latest = timezone.now().replace(year=9999)
    return sorted(found, key=lambda item: (not item.is_urgent, item.by or latest))


def _lots(actor: Actor) -> Iterator[ToDo]:
    waiting = {
        Lot.Status.DRAFT: (_("Finish your lot"), "pencil", False),
        Lot.Status.QUARANTINED: (_("Do not move it: see what to do"), "octagon-alert", True),
        Lot.Status.NEEDS_INFO: (_("Answer a question about your lot"), "message-circle", False),
        Lot.Status.PRICED: (_("Your price is ready: choose how to sell"), "scale", False),
        Lot.Status.SELLER_DECISION: (_("Take the best bid, or not"), "gavel", True),
        Lot.Status.UNSOLD: (_("Not sold: offer it again"), "repeat", False),
    }
    lots = Lot.objects.visible_to(actor).filter(
        seller_id=actor.organisation_id, status__in=list(waiting)
    )
    for lot in lots.select_related("chemistry").order_by("-pk")[:SHOWN]:
        title, icon, is_urgent = waiting[Lot.Status(lot.status)]
        about = f"{lot} · {lot.chemistry.letters}" if lot.chemistry else str(lot)
        yield ToDo(title, about, reverse("lot", args=[lot.pk]), icon, None, is_urgent)


def _deals(actor: Actor) -> Iterator[ToDo]:
    status = Deal.Status
    words: dict[str, tuple[str, str]] = {
        status.CONTRACT_PENDING: (_("Read and sign the contract"), "scroll-text"),
        status.FUNDS_PENDING: (_("Pay in, so that the pick-up can begin"), "banknote"),
        status.FUNDED: (_("Choose a carrier"), "truck"),
        status.CARRIER_BOOKED: (_("Pack and hand over to the carrier"), "package"),
        status.PICKED_UP: (_("Take over what arrives"), "truck"),
        status.INSPECTION: (_("Weigh and check what arrived"), "scale"),
        status.ADJUSTED: (_("The weight differs: agree or object"), "scale"),
        status.REJECTED: (_("Take back what was rejected"), "repeat"),
        status.SETTLED: (_("Report what you recovered"), "recycle"),
    }
    disputed = (_("Settle a dispute"), "message-circle")
    deals = mine_first(Deal.objects.visible_to(actor), actor)
    deals = deals.filter(waits=True)  # type: ignore[misc]  # annotated there
    for deal in deals.order_by("pk")[:SHOWN]:
        title, icon = words.get(deal.status, disputed)
        is_urgent = deal.status == status.ADJUSTED or deal.status not in words
        href = reverse("deal", args=[deal.pk])
        yield ToDo(title, str(deal), href, icon, deadline(deal), is_urgent)


def _outbid(actor: Actor) -> Iterator[ToDo]:
    auctions = (
        Auction.objects.visible_to(actor)
        .filter(
            status=Auction.Status.OPEN,
            mode__in=(
                Auction.Mode.OPEN,
                Auction.Mode.REVERSE,
            ),  # who leads a sealed one is a secret
            bids__bidder_id=actor.organisation_id,
        )
        .exclude(leader_id=actor.organisation_id)
        .select_related("lot")
        .distinct()
    )
    for auction in auctions.order_by("closes_at")[:SHOWN]:
        href = reverse("lot", args=[auction.lot_id])
        yield ToDo(
            _("You were outbid"), str(auction.lot), href, "gavel", auction.closes_at, is_urgent=True
        )


def _transport(actor: Actor) -> Iterator[ToDo]:
    quotes = FreightQuote.objects.visible_to(actor).filter(
        carrier_id=actor.organisation_id, status=FreightQuote.Status.REQUESTED
    )
    for quote in quotes.select_related("round").order_by("round__deadline")[:SHOWN]:
        href = reverse("freight")
        yield ToDo(
            _("Say what the transport costs"), str(quote.round), href, "truck", quote.round.deadline
        )
    words: dict[str, str] = {
        Shipment.Status.BOOKED: _("Pick up"),
        Shipment.Status.IN_TRANSIT: _("Deliver and hand over"),
    }
    shipments = Shipment.objects.visible_to(actor).filter(
        carrier_id=actor.organisation_id, status__in=list(words)
    )
    for shipment in shipments.order_by("pk")[:SHOWN]:
        href = reverse("shipment", args=[shipment.pk])
        yield ToDo(words[shipment.status], str(shipment), href, "package")


def _own_licences(actor: Actor) -> Iterator[ToDo]:
    waiting = [Licence.Status.DRAFT, Licence.Status.NEEDS_INFO]
    if actor.organisation_id is None:
        return
    licences = Licence.objects.visible_to(actor).filter(
        organisation_id=actor.organisation_id, status__in=waiting
    )
    for licence in licences.order_by("pk")[:SHOWN]:
        title = (
            _("Send your licence to be checked")
            if licence.status == Licence.Status.DRAFT
            else _("We need something about your licence")
        )
        yield ToDo(title, licence.number, reverse("licence", args=[licence.pk]), "file-check")


def _verification(actor: Actor) -> Iterator[ToDo]:
    waiting = Licence.objects.visible_to(actor).filter(
        status__in=[Licence.Status.SUBMITTED, Licence.Status.CHECKING]
    )
    if count := waiting.count():
        yield ToDo(
            _("Check licences"),
            _("%(count)s waiting") % {"count": count},
            reverse("verify-queue"),
            "shield-check",
            waiting.order_by("submitted_at").values_list("submitted_at", flat=True).first(),
        )
    disputes = Dispute.objects.visible_to(actor).filter(status=Dispute.Status.ESCALATED)
    for dispute in disputes.order_by("pk")[:SHOWN]:
        href = reverse("deal", args=[dispute.deal_id])
        yield ToDo(_("Decide a dispute"), str(dispute), href, "scale", None, is_urgent=True)


def money(actor: Actor) -> list[dict[str, Any]]:
    """Return the pots of the actor's organisation that hold something, by currency."""
    if actor.organisation_id is None:
        return []
    mine = Account.objects.visible_to(actor).filter(organisation_id=actor.organisation_id)
    pots = mine.filter(balance__gt=Decimal(0))
    return [
        {
            "amount": pot.balance,
            "currency": pot.currency,
            "kind": pot.kind,
            "label": pot.get_kind_display(),
        }
        for pot in pots.order_by("currency", "kind")
    ]
