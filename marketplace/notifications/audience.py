"""Who has to know about an event, and which facts they are told. One small function an event; reads only."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.urls import NoReverseMatch, reverse

from marketplace.accounts import events as accounts
from marketplace.accounts.models import Licence, Organisation
from marketplace.certificates import events as certificates
from marketplace.certificates.models import Certificate, ProcessingReport
from marketplace.deals import events as deals
from marketplace.deals.models import Assay, Deal, Dispute, Party, Weighing
from marketplace.freight import events as freight
from marketplace.freight.models import FreightQuote, QuoteRound
from marketplace.journal.events import Event
from marketplace.logistics import events as logistics
from marketplace.logistics.models import Handover, Shipment
from marketplace.lots import events as lots
from marketplace.lots.models import Lot
from marketplace.market import events as market
from marketplace.market.models import (
    Auction,
    Award,
    Bid,
    OrderFill,
    Question,
    SavedSearch,
    StandingOrder,
)
from marketplace.pricing import events as pricing
from marketplace.pricing.models import Valuation


@dataclass(frozen=True, slots=True)
class Letter:
    """What to tell the members of an organisation, or one person of it."""

    to: int
    template: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    path: str = ""
    only: int | None = None


Letters = Iterator[Letter]


def _at(name: str, *args: Any) -> str:
    try:
        return reverse(name, args=args)
    except NoReverseMatch:  # that page is not open: the notice still tells
        return ""


def _money(amount: Any, currency: str) -> dict[str, str]:
    return {"amount": str(amount), "currency": currency}


# --- lots and auctions ----------------------------------------------------------------------------


def lot_valued(event: pricing.LotValued) -> Letters:
    value = Valuation.objects.select_related("lot").get(pk=event.valuation_id)
    facts = {
        "lot": event.lot_id,
        "low": str(value.low),
        "high": str(value.high),
        "currency": value.currency,
    }
    yield Letter(value.lot.seller_id, "lot_valued", facts, _at("lot", event.lot_id))


def deal_taken_out(event: pricing.DealTakenOut) -> Letters:
    facts = {"lot": event.lot_id, "reason": event.reason}
    for party in (event.seller_id, event.buyer_id):
        yield Letter(party, "deal_taken_out", facts, _at("prices-method-expert"))


def lot_quarantined(event: lots.LotQuarantined) -> Letters:
    yield _to_seller(event.lot_id, "lot_quarantined")


def lot_needs_info(event: lots.LotNeedsInfo) -> Letters:
    yield _to_seller(event.lot_id, "lot_needs_info")


def _to_seller(lot_id: int, template: str) -> Letter:
    lot = Lot.objects.get(pk=lot_id)
    return Letter(lot.seller_id, template, {"lot": lot_id}, _at("lot", lot_id))


def bid_placed(event: market.BidPlaced) -> Letters:
    bid = Bid.objects.select_related("auction__lot").get(pk=event.bid_id)
    auction, path = bid.auction, _at("lot", bid.auction.lot_id)
    facts = {"lot": auction.lot_id}
    sealed = bid.price_after is None  # in an envelope, or in a sealed auction of old
    price = {} if sealed else _money(bid.price_after, auction.currency)
    if event.outbid_id is not None and not sealed:
        yield Letter(event.outbid_id, "outbid", facts | price, path)
    if not Bid.objects.filter(auction=auction, pk__lt=bid.pk).exists():
        template = "sealed_bid" if sealed else "first_bid"
        yield Letter(auction.lot.seller_id, template, facts | price, path)


def search_matched(event: market.SearchMatched) -> Letters:
    search = SavedSearch.objects.filter(pk=event.search_id).first()
    if search is None:
        return  # it was given up since
    if event.lot_id is not None:
        facts: dict[str, Any] = {"lot": event.lot_id, "thing": search.name}
        path, template = _at("lot", event.lot_id), "search_hit"
    else:
        facts = {"count": event.count, "thing": search.name}
        path, template = _at("saved-searches"), "search_digest"
    yield Letter(search.organisation_id, template, facts, path, only=search.user_id)


def auction_closed(event: market.AuctionClosed) -> Letters:
    if event.award_id is not None:
        return  # LotAwarded tells
    auction = Auction.objects.select_related("lot").get(pk=event.auction_id)
    if auction.status != Auction.Status.UNSOLD:
        return  # the seller decides first
    facts, path = {"lot": auction.lot_id}, _at("lot", auction.lot_id)
    yield Letter(auction.lot.seller_id, "lot_unsold", facts, path)
    for bidder in _bidders(auction):
        yield Letter(bidder, "not_sold_to_you", facts, path)


def seller_must_decide(event: market.SellerMustDecide) -> Letters:
    auction = Auction.objects.select_related("lot").get(pk=event.auction_id)
    facts = {"lot": auction.lot_id} | _money(auction.price, auction.currency)
    yield Letter(auction.lot.seller_id, "seller_decides", facts, _at("lot", auction.lot_id))


def lot_awarded(event: market.LotAwarded) -> Letters:
    award = Award.objects.get(pk=event.award_id)
    auction = Auction.objects.select_related("lot").get(pk=event.auction_id)
    facts = {"lot": auction.lot_id} | _money(award.price, auction.currency)
    path = _at("lot", auction.lot_id)
    yield Letter(award.bidder_id, "won", facts, path)
    yield Letter(auction.lot.seller_id, "lot_sold", facts, path)
    if award.rank > 1:
        return  # the others were told at the close
    for bidder in _bidders(auction):
        if bidder != award.bidder_id:
            yield Letter(bidder, "lost", facts, path)


def auction_withdrawn(event: market.AuctionWithdrawn) -> Letters:
    auction = Auction.objects.get(pk=event.auction_id)
    for bidder in _bidders(auction):
        yield Letter(
            bidder, "auction_withdrawn", {"lot": auction.lot_id}, _at("lot", auction.lot_id)
        )


def winner_defaulted(event: market.WinnerDefaulted) -> Letters:
    auction = Auction.objects.get(pk=event.auction_id)
    yield _to_seller(auction.lot_id, "winner_defaulted")


def order_paused(event: market.OrderPaused) -> Letters:
    order = StandingOrder.objects.get(pk=event.order_id)
    told = {"LICENCE": "order_paused_licence", "DEFAULT": "order_paused_default"}
    if event.why in told:
        facts = {"order": order.pk}
        yield Letter(order.buyer_id, told[event.why], facts, _at("order", order.pk))


def order_ended(event: market.OrderEnded) -> Letters:
    order = StandingOrder.objects.get(pk=event.order_id)
    told = {"FILLED": "order_is_filled", "EXPIRED": "order_expired"}
    if event.how in told:
        facts = {"order": order.pk}
        yield Letter(order.buyer_id, told[event.how], facts, _at("order", order.pk))


def order_filled(event: market.OrderFilled) -> Letters:
    fill = OrderFill.objects.select_related("order").get(pk=event.fill_id)
    price = _money(fill.price, fill.order.currency)
    facts = {"lot": fill.lot_id, "order": fill.order_id} | price
    path = _at("lot", fill.lot_id)
    yield Letter(fill.order.buyer_id, "order_bought", facts, path)
    yield Letter(fill.seller_id, "lot_sold", facts, path)


def order_sale_undone(event: market.OrderSaleUndone) -> Letters:
    fill = OrderFill.objects.select_related("order").get(pk=event.fill_id)
    facts, path = {"lot": fill.lot_id, "order": fill.order_id}, _at("lot", fill.lot_id)
    yield Letter(fill.seller_id, "order_sale_undone_seller", facts, path)
    yield Letter(fill.order.buyer_id, "order_sale_undone_buyer", facts, path)


def price_taken(event: market.PriceTaken) -> Letters:
    bid = Bid.objects.select_related("auction__lot").get(pk=event.bid_id)
    facts = {"lot": bid.auction.lot_id} | _money(bid.amount, bid.auction.currency)
    path = _at("lot", bid.auction.lot_id)
    yield Letter(bid.auction.lot.seller_id, "price_taken", facts, path)


def last_word_begins(event: market.LastWordBegins) -> Letters:
    auction = Auction.objects.get(pk=event.auction_id)
    facts = {"lot": auction.lot_id} | _money(auction.price, auction.currency)
    yield Letter(event.taker_id, "last_word", facts, _at("lot", auction.lot_id))


def opening_waits(event: market.OpeningWaits) -> Letters:
    yield from _everybody_at(event.auction_id, "opening_waits")


def auction_paused(event: market.AuctionPaused) -> Letters:
    yield from _everybody_at(event.auction_id, "auction_paused")


def auction_resumed(event: market.AuctionResumed) -> Letters:
    yield from _everybody_at(
        event.auction_id, "auction_resumed", minutes=-(-event.later_seconds // 60)
    )


def _everybody_at(auction_id: int, template: str, /, **facts: Any) -> Letters:
    auction = Auction.objects.select_related("lot").get(pk=auction_id)
    told, path = {"lot": auction.lot_id} | facts, _at("lot", auction.lot_id)
    for party in [auction.lot.seller_id, *_bidders(auction)]:
        yield Letter(party, template, told, path)


def question_asked(event: market.QuestionAsked) -> Letters:
    auction = Auction.objects.select_related("lot").get(pk=event.auction_id)
    facts = {"lot": auction.lot_id}
    yield Letter(auction.lot.seller_id, "question_asked", facts, _at("auction", event.auction_id))


def question_answered(event: market.QuestionAnswered) -> Letters:
    question = Question.objects.select_related("auction").get(pk=event.question_id)
    facts = {"lot": question.auction.lot_id}
    yield Letter(question.asker_id, "question_answered", facts, _at("auction", event.auction_id))


def _bidders(auction: Auction) -> list[int]:
    rows = Bid.objects.filter(auction=auction).order_by("bidder_id")
    return list(rows.values_list("bidder_id", flat=True).distinct())


# --- deals ----------------------------------------------------------------------------------------


def _both(deal: Deal, template: str, /, **facts: Any) -> Letters:
    for party in (deal.seller_id, deal.buyer_id):
        yield _about(deal, party, template, **facts)


def _about(deal: Deal, to: int, template: str, /, **facts: Any) -> Letter:
    return Letter(to, template, {"deal": deal.pk} | facts, _at("deal", deal.pk))


def deal_opened(event: deals.DealOpened) -> Letters:
    yield from _both(_deal(event.deal_id), "deal_opened")


def deal_signed(event: deals.DealSigned) -> Letters:
    deal = _deal(event.deal_id)
    yield _about(deal, deal.buyer_id, "deal_signed_buyer", **_money(deal.to_hold, deal.currency))
    yield _about(deal, deal.seller_id, "deal_signed_seller")


def deal_funded(event: deals.DealFunded) -> Letters:
    deal = _deal(event.deal_id)
    yield _about(deal, deal.seller_id, "deal_funded")


def lot_weighed(event: deals.LotWeighed) -> Letters:
    deal = _deal(event.deal_id)
    weighing = Weighing.objects.get(pk=event.weighing_id)
    for party in {deal.seller_id, deal.buyer_id} - {weighing.weighed_for_id}:
        yield _about(deal, party, "weighed", mass=str(weighing.net_kg))


def deal_adjusted(event: deals.DealAdjusted) -> Letters:
    deal = _deal(event.deal_id)
    yield _about(deal, deal.seller_id, "deal_adjusted")


def deal_accepted(event: deals.DealAccepted) -> Letters:
    deal = _deal(event.deal_id)
    yield _about(deal, deal.seller_id, "deal_accepted")


def deal_rejected(event: deals.DealRejected) -> Letters:
    deal = _deal(event.deal_id)
    yield _about(deal, deal.seller_id, "deal_rejected")


def deal_settled(event: deals.DealSettled) -> Letters:
    deal = _deal(event.deal_id)
    paid = deal.price if deal.final_price is None else deal.final_price
    yield _about(deal, deal.seller_id, "deal_settled_seller", **_money(paid, deal.currency))
    yield _about(deal, deal.buyer_id, "deal_settled_buyer")


def deal_defaulted(event: deals.DealDefaulted) -> Letters:
    yield from _both(_deal(event.deal_id), "deal_defaulted")


def deal_cancelled(event: deals.DealCancelled) -> Letters:
    yield from _both(_deal(event.deal_id), "deal_cancelled")


def cancellation_asked(event: deals.CancellationAsked) -> Letters:
    deal = _deal(event.deal_id)
    for party in {deal.seller_id, deal.buyer_id} - {deal.cancel_asked_by_id}:
        yield _about(deal, party, "cancellation_asked")


def deal_returned(event: deals.DealReturned) -> Letters:
    deal = _deal(event.deal_id)
    yield Letter(deal.seller_id, "lot_returned", {"lot": deal.lot_id}, _at("deal", deal.pk))


def dispute_opened(event: deals.DisputeOpened) -> Letters:
    deal = _deal(event.deal_id)
    opened_by = Dispute.objects.values_list("opened_by_id", flat=True).get(pk=event.dispute_id)
    for party in {deal.seller_id, deal.buyer_id} - {opened_by}:
        yield _about(deal, party, "dispute_opened")


def dispute_ended(event: deals.DisputeEnded) -> Letters:
    yield from _both(_deal(event.deal_id), "dispute_ended")


def assay_sent(event: deals.AssaySent) -> Letters:
    deal = _deal(event.deal_id)
    sent_for = Assay.objects.values_list("sent_for_id", flat=True).get(pk=event.assay_id)
    for party in {deal.seller_id, deal.buyer_id} - {sent_for}:
        yield _about(deal, party, "assay_sent")


def assays_differ(event: deals.AssaysDiffer) -> Letters:
    yield from _both(_deal(event.deal_id), "assays_differ")


def assay_agreed(event: deals.AssayAgreed) -> Letters:
    deal = _deal(event.deal_id)
    told = deal.seller_id if event.agreed_to == Party.SELLER else deal.buyer_id
    yield _about(deal, told, "assay_agreed")


def umpire_asked(event: deals.UmpireAsked) -> Letters:
    deal = _deal(event.deal_id)
    for party in {deal.seller_id, deal.buyer_id} - {event.asked_by_id}:
        yield _about(deal, party, "umpire_asked")


def _deal(deal_id: int) -> Deal:
    return Deal.objects.get(pk=deal_id)


# --- transport ------------------------------------------------------------------------------------


def quotes_requested(event: freight.QuotesRequested) -> Letters:
    asked = QuoteRound.objects.get(pk=event.round_id)
    waiting = asked.quotes.filter(status=FreightQuote.Status.REQUESTED).order_by("carrier_id")
    for carrier in waiting.values_list("carrier_id", flat=True).distinct():
        yield Letter(carrier, "quotes_wanted", {"mass": str(asked.mass_kg)}, _at("freight"))


def quotes_offered(event: freight.QuotesOffered) -> Letters:
    deal = _deal_of(event.purpose)
    if deal is None:
        return
    offers = FreightQuote.objects.filter(
        round_id=event.round_id, status=FreightQuote.Status.RECEIVED
    ).count()
    if offers:
        yield _about(deal, deal.buyer_id, "quotes_offered", count=offers)
    else:
        yield _about(deal, deal.buyer_id, "no_quotes")


def quote_chosen(event: freight.QuoteChosen) -> Letters:
    deal = _deal_of(event.purpose)
    carrier = FreightQuote.objects.values_list("carrier_id", flat=True).get(pk=event.quote_id)
    if deal is not None:
        yield _about(deal, carrier, "quote_chosen")


def shipment_booked(event: logistics.ShipmentBooked) -> Letters:
    shipment = Shipment.objects.select_related("deal", "carrier").get(pk=event.shipment_id)
    carrier = shipment.carrier.name if shipment.carrier else ""
    deal = shipment.deal
    yield _about(deal, deal.seller_id, "shipment_booked", carrier=carrier, lot=deal.lot_id)


def handed_over(event: logistics.GoodsHandedOver) -> Letters:
    handover = Handover.objects.select_related("to_organisation").get(pk=event.handover_id)
    yield from _both(_deal(event.deal_id), "handed_over", to=handover.to_organisation.name)


def _deal_of(purpose: str) -> Deal | None:
    kind, _colon, number = purpose.partition(":")
    return Deal.objects.filter(pk=number).first() if kind == "deal" else None


# --- certificates and licences --------------------------------------------------------------------


def certificate_issued(event: certificates.CertificateIssued) -> Letters:
    certificate = Certificate.objects.get(pk=event.certificate_id)
    facts = {"deal": event.deal_id, "code": certificate.code}
    deal, path = _deal(event.deal_id), _at("certificate", certificate.code)
    for party in sorted({deal.seller_id, deal.buyer_id, certificate.holder_id}):
        yield Letter(party, "certificate_issued", facts, path)


def certificate_revoked(event: certificates.CertificateRevoked) -> Letters:
    certificate = Certificate.objects.select_related("report__deal").get(pk=event.certificate_id)
    deal, path = certificate.report.deal, _at("certificate", certificate.code)
    for party in sorted({deal.seller_id, deal.buyer_id, certificate.holder_id}):
        yield Letter(party, "certificate_revoked", {"code": certificate.code}, path)


def report_contradicted(event: certificates.ReportContradicted) -> Letters:
    report = ProcessingReport.objects.get(pk=event.report_id)
    path = _at("deal", event.deal_id)
    yield Letter(report.processor_id, "report_contradicted", {"deal": event.deal_id}, path)


def _licence(template: str) -> Callable[[Any], Letters]:
    def tell(event: Any) -> Letters:
        licence = Licence.objects.get(pk=event.licence_id)
        facts = {"number": licence.number, "until": licence.finish_until.isoformat()}
        yield Letter(licence.organisation_id, template, facts, _at("licence", licence.pk))

    return tell


def member_added(event: accounts.MemberAdded) -> Letters:
    facts = {"organisation": _name(event.organisation_id)}
    yield Letter(
        event.organisation_id, "member_added", facts, _at("organisation"), only=event.user_id
    )


def organisation_frozen(event: accounts.OrganisationFrozen) -> Letters:
    facts = {"organisation": _name(event.organisation_id), "reason": event.reason}
    yield Letter(event.organisation_id, "organisation_frozen", facts, _at("help"))


def organisation_released(event: accounts.OrganisationReleased) -> Letters:
    facts = {"organisation": _name(event.organisation_id)}
    yield Letter(event.organisation_id, "organisation_released", facts, _at("home"))


def _name(organisation_id: int) -> str:
    return Organisation.objects.values_list("name", flat=True).get(pk=organisation_id)


AUDIENCE: Mapping[type[Event], Callable[[Any], Letters]] = {
    accounts.LicenceVerified: _licence("licence_verified"),
    accounts.LicenceRefused: _licence("licence_refused"),
    accounts.LicenceNeedsInfo: _licence("licence_needs_info"),
    accounts.LicenceSuspended: _licence("licence_suspended"),
    accounts.LicenceReinstated: _licence("licence_reinstated"),
    accounts.LicenceExpired: _licence("licence_expired"),
    accounts.MemberAdded: member_added,
    accounts.OrganisationFrozen: organisation_frozen,
    accounts.OrganisationReleased: organisation_released,
    lots.LotQuarantined: lot_quarantined,
    lots.LotNeedsInfo: lot_needs_info,
    pricing.LotValued: lot_valued,
    pricing.DealTakenOut: deal_taken_out,
    freight.QuotesRequested: quotes_requested,
    freight.QuotesOffered: quotes_offered,
    freight.QuoteChosen: quote_chosen,
    market.BidPlaced: bid_placed,
    market.SearchMatched: search_matched,
    market.AuctionClosed: auction_closed,
    market.AuctionWithdrawn: auction_withdrawn,
    market.SellerMustDecide: seller_must_decide,
    market.LotAwarded: lot_awarded,
    market.WinnerDefaulted: winner_defaulted,
    market.OrderPaused: order_paused,
    market.OrderEnded: order_ended,
    market.OrderFilled: order_filled,
    market.OrderSaleUndone: order_sale_undone,
    market.PriceTaken: price_taken,
    market.LastWordBegins: last_word_begins,
    market.OpeningWaits: opening_waits,
    market.AuctionPaused: auction_paused,
    market.AuctionResumed: auction_resumed,
    market.QuestionAsked: question_asked,
    market.QuestionAnswered: question_answered,
    deals.DealOpened: deal_opened,
    deals.DealSigned: deal_signed,
    deals.DealFunded: deal_funded,
    deals.LotWeighed: lot_weighed,
    deals.DealAdjusted: deal_adjusted,
    deals.DealAccepted: deal_accepted,
    deals.DealRejected: deal_rejected,
    deals.DealSettled: deal_settled,
    deals.DealDefaulted: deal_defaulted,
    deals.DealCancelled: deal_cancelled,
    deals.DealReturned: deal_returned,
    deals.CancellationAsked: cancellation_asked,
    deals.DisputeOpened: dispute_opened,
    deals.DisputeEnded: dispute_ended,
    deals.AssaySent: assay_sent,
    deals.AssaysDiffer: assays_differ,
    deals.AssayAgreed: assay_agreed,
    deals.UmpireAsked: umpire_asked,
    logistics.ShipmentBooked: shipment_booked,
    logistics.GoodsHandedOver: handed_over,
    certificates.CertificateIssued: certificate_issued,
    certificates.CertificateRevoked: certificate_revoked,
    certificates.ReportContradicted: report_contradicted,
}
