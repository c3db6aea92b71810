"""Bids in envelopes: closed with an auction's public key, opened once its parts are joined after the end.

Whoever has the database has envelopes and commitments. The house's processes see an amount while it arrives, and keep it
nowhere. Every try to open is in the journal, also one that was refused.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils.translation import gettext as _

from marketplace.accounts.actors import Actor
from marketplace.core.clock import Clock
from marketplace.core.errors import Refused
from marketplace.journal.services import record
from marketplace.market import holders
from marketplace.market.events import SealMade, SealTried
from marketplace.market.models import Auction, Bid, Seal
from marketplace.market.rules import envelopes, shamir


class SealRefused(Refused):
    """The key is not made, or not joined. ``code`` says why."""

    code = "seal_refused"

    def __init__(self, message: str, *, code: str = "seal_refused") -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Opening:
    """How a try to open went: OPENED, or SHARE_MISSING, KEY_WRONG, ENVELOPE_SPOILED; and how many parts there were."""

    outcome: str
    parts: int

    @property
    def is_open(self) -> bool:
        return self.outcome == "OPENED"


def make_seal(auction: Auction, *, by: Actor, now: datetime) -> Seal:
    """Make the key of a new auction, and give its parts to their holders. What made it is forgotten.

    :raises SealRefused: if a holder cannot take their part
    """
    parts = len(holders.folders())
    needed = min(settings.SEAL_NEEDED, parts)
    secret, number = os.urandom(envelopes.KEY_BYTES), uuid4()
    noise = [os.urandom(shamir.COEFFICIENT_BYTES) for _each in range(needed - 1)]
    shares = shamir.split(secret, needed=needed, parts=parts, noise=noise)
    try:
        holders.keep(number, shares)
    except holders.HolderAway:
        raise SealRefused(
            _("The key for sealed bids cannot be kept safely now. Try again later."),
            code="holder_away",
        ) from None
    seal = Seal.objects.create(
        auction=auction,
        number=number,
        public_key=envelopes.public_key(secret).hex(),
        needed=needed,
        parts=parts,
        share_digests=[holders.digest_of(share) for share in shares],
        made_at=now,
    )
    record(SealMade(auction_id=auction.pk, needed=needed, parts=parts), by=by, at=now)
    return seal


def enclosed(
    seal: Seal,
    *,
    bidder_id: int,
    request_id: UUID,
    maximum: Decimal,
    terms: dict[str, Any] | None = None,
    figures: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the columns of a bid in its envelope: with its commitment, and an echo for who repeats the request.

    :raises SealRefused: if the request's id is not a random one: the echo is as secret as it is
    """
    if request_id.version != 4:
        raise SealRefused(
            _("Send a random request id with a sealed bid: a UUID of version 4."),
            code="request_id_weak",
        )
    content = {
        "maximum": f"{maximum:.2f}",
        "terms": terms,
        "figures": figures,
        "nonce": envelopes.nonce_of(bidder_id, request_id),
    }
    echo_key = envelopes.public_key(envelopes.echo_key(bidder_id, request_id))
    envelope, echo = (
        envelopes.close(
            content,
            key=key,
            context=envelopes.context_of(seal.auction_id, bidder_id),
            fresh=os.urandom(envelopes.KEY_BYTES),
        )
        for key in (bytes.fromhex(seal.public_key), echo_key)
    )
    return {
        "envelope": envelope,
        "echo": echo,
        "commitment": envelopes.commitment(content),
        "request_id": envelopes.kept_id(bidder_id, request_id),
    }


def sealed_repeat(bidder_id: int, request_id: UUID) -> Bid | None:
    """Return the sealed bid that a request has placed before, as it was told then. What is changed on it is not to be saved."""
    kept = envelopes.kept_id(bidder_id, request_id)
    bid = Bid.objects.filter(bidder_id=bidder_id, request_id=kept).first()
    if bid is not None:
        content = envelopes.open_with(
            envelopes.echo_key(bidder_id, request_id),
            bytes(bid.echo or b""),
            context=envelopes.context_of(bid.auction_id, bidder_id),
        )
        tell(bid, content, request_id=request_id)
    return bid


def tell(bid: Bid, content: Mapping[str, Any], *, request_id: UUID | None = None) -> None:
    """Fill in what an envelope says, in memory."""
    bid.maximum = Decimal(content["maximum"])
    bid.terms, bid.figures = content["terms"], content["figures"]
    bid.request_id = request_id or bid.request_id


def open_envelopes(auction: Auction, *, by: Actor, now: datetime) -> Opening:
    """Join the key of a locked auction whose bidding is over, and fill in what its bids say. All of them, or none.

    Writes down the try, however it goes. An auction from before there were seals has nothing to open.
    """
    seal = Seal.objects.filter(auction=auction).first()
    if seal is None or seal.opened_at is not None:
        return Opening("OPENED", 0)
    shares = holders.gather(seal.number, seal.share_digests)
    opening = Opening(_joined(auction, seal, shares, now), len(shares))
    if opening.is_open:
        seal.opened_at = now
    else:
        seal.tried_at = now
    seal.save(update_fields=["opened_at", "tried_at"])
    record(
        SealTried(auction_id=auction.pk, outcome=opening.outcome, parts=opening.parts),
        by=by,
        at=now,
    )
    return opening


def _joined(auction: Auction, seal: Seal, shares: list[shamir.Share], now: datetime) -> str:
    if len(shares) < seal.needed:
        return "SHARE_MISSING"
    try:
        secret = shamir.join(shares, needed=seal.needed)
    except ValueError:
        return "KEY_WRONG"
    if len(secret) != envelopes.KEY_BYTES or envelopes.public_key(secret).hex() != seal.public_key:
        return "KEY_WRONG"
    bids = list(Bid.objects.filter(auction=auction, envelope__isnull=False).order_by("pk"))
    try:
        for bid in bids:
            _fill_in(bid, secret, now)
    except envelopes.EnvelopeSpoiled:
        return "ENVELOPE_SPOILED"
    Bid.objects.bulk_update(bids, ["maximum", "terms", "figures", "opened_at"])
    return "OPENED"


def _fill_in(bid: Bid, secret: bytes, now: datetime) -> None:
    context = envelopes.context_of(bid.auction_id, bid.bidder_id)
    content = envelopes.open_with(secret, bytes(bid.envelope or b""), context=context)
    if envelopes.commitment(content) != bid.commitment:
        raise envelopes.EnvelopeSpoiled
    tell(bid, content)
    bid.opened_at = now


def refuse_early_opening(auction: Auction, *, actor: Actor, clock: Clock) -> None:
    """Refuse to open an auction's bids for somebody who may not, or too early, and write the try down for good.

    :raises PermissionDenied: if the actor is not of the house
    :raises SealRefused: if the auction does not wait for its key
    """
    with transaction.atomic():
        auction = Auction.objects.lock(auction)
        now = clock()
        waits = auction.status == Auction.Status.OPENING  # at its end it was tried by itself
        outcome = "" if waits else "TOO_EARLY"
        if not actor.sees_everything:
            outcome = "NOT_ALLOWED"
        if outcome:
            record(SealTried(auction_id=auction.pk, outcome=outcome, parts=0), by=actor, at=now)
    if outcome == "NOT_ALLOWED":
        raise PermissionDenied
    if outcome:
        raise SealRefused(
            _("These bids are opened after the end, and not before. Your try is on record."),
            code="too_early",
        )
