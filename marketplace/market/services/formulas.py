"""Bids as formulas in sealed auctions: made comparable when they are placed, by the quotes of that day.

What is paid in the end a deal works out from the terms, by weight, quotes and assays.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from marketplace.accounts.actors import Actor
from marketplace.accounts.capabilities import Capability
from marketplace.core.clock import Clock
from marketplace.lots.models import Lot
from marketplace.market.models import Auction, Bid
from marketplace.pricing import queries as pricing
from marketplace.pricing import rules as valuation
from marketplace.pricing.rules import formulas
from marketplace.pricing.rules.formulas import Fault
from marketplace.reference.queries import RateMissing, parameter, rate_per_usd

from .bidding import BidRefused, Formula, place_bid
from .sealing import sealed_repeat

SEED = 1

SAID: Mapping[Fault, str | Promise] = {
    Fault.NOT_TERMS: lazy("Send the terms as named fields, not as text to be computed."),
    Fault.UNKNOWN_FIELD: lazy("Leave this field out. Known are: %(known)s."),
    Fault.MISSING: lazy("Fill this in."),
    Fault.UNKNOWN_CHOICE: lazy("Choose one of these: %(known)s."),
    Fault.NOT_A_NUMBER: lazy("Write a number with a point, as 0.75."),
    Fault.TOO_LARGE: lazy(
        "Write a smaller number, with at most %(decimals)s digits after the point."
    ),
    Fault.NOT_POSITIVE: lazy("Write a price above zero."),
    Fault.NEGATIVE: lazy("Write zero or more. A charge is taken off, a payable is added."),
    Fault.PAYABLE_TOO_HIGH: lazy(
        "Pay at most 1.2 of a quote. %(said)s is too much: for %(said)s per cent write %(meant)s."
    ),
    Fault.UNKNOWN_MATERIAL: lazy("Choose a metal that this lot contains: %(known)s."),
    Fault.NOT_CONTAINED: lazy(
        "By our tables this lot contains no quoted %(material)s. Leave it out, or pay for: %(known)s."
    ),
    Fault.NOTHING_PAID: lazy("Pay for at least one metal."),
    Fault.FLOOR_TOO_HIGH: lazy(
        "Your floor is above what your terms could ever pay. Write at most %(most)s a kg, or bid per kg."
    ),
    Fault.ENERGY_UNKNOWN: lazy("The energy of this lot is not known. Bid per kg instead."),
}
"""What is wrong with terms, and what to do."""


class TermsRefused(BidRefused):
    """The terms will not do. ``problems`` holds every one: the field's name, and a sentence."""

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        self.problems = tuple(problems)
        message = " ".join(f"{where}: {said}" for where, said in self.problems)
        super().__init__(message, code="terms_refused", field="terms")


@dataclass(frozen=True, slots=True)
class Compared:
    """An offer with what it is worth at the seller's gate, in the auction's currency, and the most that it may cost."""

    offer: formulas.Offer
    net: formulas.Net
    price_cap: Decimal
    figures: dict[str, Any]


def compare_terms(auction: Auction, *, actor: Actor, terms: object, on: date) -> Compared:
    """Return what terms would pay for the lot of a sealed auction at the quotes of a day. Nothing is written.

    :param terms: named fields, as ``pricing.rules.formulas.read`` takes them
    :raises PermissionDenied: if the actor may not bid
    :raises TermsRefused: with everything that is wrong with the terms
    :raises BidRefused: if the auction is an open one, or nothing can be worked out
    """
    actor.require(Capability.BID_PLACE)
    return _compared(auction, read_terms(terms), on)


@transaction.atomic
def place_formula_bid(
    auction: Auction,
    *,
    actor: Actor,
    terms: object,
    currency: str,
    request_id: UUID,
    clock: Clock,
    maximum: Decimal | None = None,
    confirmed: bool = False,
) -> Bid:
    """Place a binding bid by terms. What they typically pay at the seller's gate today is what it counts as.

    Asking again with the same ``request_id`` returns the same bid, whatever the quotes do meanwhile.

    :param maximum: the figure that the bidder was shown; another one today is refused
    :raises PermissionDenied: if the actor may not bid
    :raises TermsRefused: with everything that is wrong with the terms
    :raises BidRefused: as ``place_bid``, and if the auction is an open one
    """
    bidder_id = actor.require(Capability.BID_PLACE)
    offer = read_terms(terms)
    plain = formulas.plain(offer)
    repeated = Bid.objects.filter(bidder_id=bidder_id, request_id=request_id).first()
    repeated = repeated or sealed_repeat(bidder_id, request_id)
    if repeated and repeated.auction_id == auction.pk and repeated.terms == plain:
        return repeated
    found = _compared(auction, offer, clock().date())
    if maximum is not None and maximum != found.net.typical:
        raise BidRefused(
            _("The quotes have changed since you looked. Look at the new figure and confirm it."),
            code="figure_changed",
            field="maximum",
        )
    return place_bid(
        auction,
        actor=actor,
        maximum=found.net.typical,
        currency=currency,
        request_id=request_id,
        clock=clock,
        confirmed=confirmed,
        formula=Formula(plain, found.figures),
    )


def materials_of(auction: Auction, *, on: date) -> list[str]:
    """Return what terms may pay for: what the lot contains and is quoted, what is worth most first."""
    inputs = _inputs(auction, pricing.market_on(on))
    held, quotes = formulas.contained(inputs), formulas.quotes(inputs)
    return sorted(held, key=lambda material: -held[material] * quotes[material])


def read_terms(terms: object) -> formulas.Offer:
    """Return terms that make sense by themselves.

    :raises TermsRefused: with everything that is wrong with them
    """
    try:
        offer = formulas.read(terms)
    except formulas.TermsRefused as refusal:
        raise TermsRefused(_told(refusal.problems)) from None
    if problems := formulas.check(offer):
        raise TermsRefused(_told(problems))
    return offer


def _told(problems: Sequence[formulas.Problem]) -> list[tuple[str, str]]:
    return [(each.where, str(SAID[each.fault]) % each.values) for each in problems]


def _inputs(auction: Auction, market: pricing.Market) -> valuation.Inputs:
    lot = Lot.objects.select_related("chemistry").get(pk=auction.lot_id)
    (facts,) = pricing.facts_of_lots([lot], market)
    return pricing.inputs_at_whole_quotes(facts, market)


def _compared(auction: Auction, offer: formulas.Offer, on: date) -> Compared:
    if auction.mode not in (Auction.Mode.SEALED, Auction.Mode.SECOND_PRICE):
        raise BidRefused(
            _(
                "In a rising auction we bid for you in steps, and that needs one amount. Bid an amount."
            ),
            code="terms_need_sealed",
            field="terms",
        )
    try:
        per_usd = rate_per_usd(auction.currency, on)
    except RateMissing:
        raise BidRefused(
            _("We know no exchange rate for %(currency)s today. Bid an amount.")
            % {"currency": auction.currency},
            code="no_rate",
            field="terms",
        ) from None
    inputs = _inputs(auction, pricing.market_on(on))
    if problems := formulas.check(offer, inputs=inputs, per_usd=per_usd):
        raise TermsRefused(_told(problems))
    net = formulas.net_at_gate(offer, inputs, currency=auction.currency, per_usd=per_usd, seed=SEED)
    if net.typical <= 0:
        raise BidRefused(
            _(
                "At today's quotes these terms pay nothing. Raise what you pay, or lower the charge."
            ),
            code="pays_nothing",
            field="terms",
        )
    price_cap = formulas.most_due(
        net.high,
        net.typical,
        share_most=parameter("FORMULA_HOLD_SHARE", on),
        currency=auction.currency,
    )
    return Compared(offer, net, price_cap, _figures(auction, inputs, net, per_usd, on))


def _figures(
    auction: Auction, inputs: valuation.Inputs, net: formulas.Net, per_usd: Decimal, on: date
) -> dict[str, Any]:
    """Return everything that the figure was worked out from, so that it can be checked and settled from later."""
    metals = {metal.material: metal for makeup in inputs.makeups for metal in makeup.recipe.metals}
    pack = inputs.pack
    found = {
        "currency": auction.currency,
        "worst": str(net.worst),
        "low": str(net.low),
        "typical": str(net.typical),
        "high": str(net.high),
        "on": on.isoformat(),
        "per_usd": _text(per_usd),
        "kg": _text(inputs.mass_kg.typical),
        "dry_kg": _text(formulas.dry_kg(inputs)),
        "kwh": None if pack is None else _text(pack.energy_kwh.typical),
        "way_usd": _text(formulas.way_usd(inputs)),
        "contained": {
            material: _text(share) for material, share in formulas.contained(inputs).items()
        },
        "quotes": {
            material: {
                "usd_per_kg": _text(metal.usd_per_kg.typical),
                "on": metal.quoted_on,
                "source": metal.source,
            }
            for material, metal in metals.items()
        },
        "seed": SEED,
        "samples": valuation.SAMPLES,
        "rules_version": f"{valuation.VERSION}/{formulas.VERSION}",
    }
    return found | {"sha256": pricing.fingerprint(found)}


def _text(number: Decimal) -> str:
    return f"{number.normalize():f}"
