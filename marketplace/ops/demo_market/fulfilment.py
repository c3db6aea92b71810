"""What happens to a deal: signed, paid, carried, weighed, accepted or argued about, processed, certified."""

from datetime import timedelta
from decimal import Decimal
from random import Random

from marketplace.accounts import services as accounts
from marketplace.certificates import services as certificates
from marketplace.certificates.models import Certificate
from marketplace.certificates.rules.mass_balance import Output
from marketplace.core.quantities import to_the_gram
from marketplace.deals import services as deals
from marketplace.deals.models import Deal, Dispute
from marketplace.freight import services as freight
from marketplace.freight.models import FreightQuote, QuoteRound
from marketplace.logistics import services as logistics
from marketplace.logistics.models import Shipment
from marketplace.lots.queries import presumed_chemistry

from .calendar import Process
from .people import Trader, chance_id
from .trade import Market

# What comes out of a kilogram, by the line that takes it; what is missing to one is residue and loss.
YIELDS: dict[str, dict[str, float]] = {
    "TERNARY": {
        "NICKEL": 0.085, "COBALT": 0.034, "LITHIUM": 0.018, "COPPER": 0.115, "ALUMINIUM": 0.16,
        "STEEL": 0.11, "PLASTICS": 0.07, "GRAPHITE": 0.10,
    },
    "LFP": {
        "LITHIUM": 0.011, "IRON_PHOSPHATE": 0.14, "COPPER": 0.074, "ALUMINIUM": 0.14,
        "STEEL": 0.13, "PLASTICS": 0.09, "GRAPHITE": 0.10,
    },
    "OTHER_LITHIUM": {
        "BLACK_MASS": 0.40, "COPPER": 0.09, "ALUMINIUM": 0.15, "STEEL": 0.11, "PLASTICS": 0.08,
    },
    "LEAD": {"LEAD": 0.60, "PLASTICS": 0.06, "SODIUM_SULPHATE": 0.05},
    "NICKEL": {"NICKEL": 0.22, "STEEL": 0.36, "MIXED_METALS": 0.08, "PLASTICS": 0.09},
    "SODIUM": {"BLACK_MASS": 0.41, "ALUMINIUM": 0.16, "STEEL": 0.12, "PLASTICS": 0.09},
}  # fmt: skip
RESIDUE_OF_REST = Decimal("0.7")
REUSED_SHARE = Decimal("0.78")


def fulfil(it: Market, deal: Deal) -> Process:
    """See a new deal through, as far as its two sides keep their word."""
    seller, buyer = it.traders[deal.seller_id], it.traders[deal.buyer_id]
    yield it.hours(0.5, 12)
    deals.sign(deal, actor=seller.actor, now=it.now)
    if it.chance(0.03):
        return  # the buyer never signs: the contract decides, and the next in line is asked
    yield it.hours(0.5, 12)
    deal = deals.sign(deal, actor=buyer.actor, now=it.now)
    yield it.hours(1, 26)
    deals.fund(deal, actor=buyer.actor, request_id=chance_id(it.random), now=it.now)
    yield it.minutes(15, 60)
    quotes = QuoteRound.objects.filter(purpose=f"deal:{deal.pk}").first()
    if quotes is None:
        return  # such goods must not travel: the deal shows why
    answers = freight.answers_of_cards(quotes.pk, now=it.now)
    freight.store_answers(quotes.pk, answers, now=it.now)
    yield it.hours(1, 20)
    best = FreightQuote.objects.filter(round=quotes, status=FreightQuote.Status.RECEIVED)
    quote = best.order_by("rank").first()
    if quote is None:
        return  # nobody drives there: the buyer will have to ask again
    freight.choose_quote(quote, actor=buyer.actor, now=it.now)
    yield from carry(it, deal, seller=seller, buyer=buyer, carrier=it.traders[quote.carrier_id])


def carry(it: Market, deal: Deal, *, seller: Trader, buyer: Trader, carrier: Trader) -> Process:
    """Fetch the goods against the seller's code, and hand them to the buyer against the carrier's."""
    yield it.hours(14, 40)
    shipment = Shipment.objects.get(deal=deal)
    loaded_kg = _on_the_scale(it.random, deal.declared_kg)
    code = logistics.show_code(shipment, actor=seller.actor, now=it.now)
    logistics.hand_over(
        shipment,
        actor=carrier.actor,
        code=code,
        mass_kg=loaded_kg,
        request_id=chance_id(it.random),
        now=it.now,
    )
    yield it.hours(5, 60)
    shipment.refresh_from_db()
    code = logistics.show_code(shipment, actor=carrier.actor, now=it.now)
    unloaded_kg = to_the_gram(loaded_kg * Decimal(str(round(it.random.uniform(0.998, 1.001), 5))))
    logistics.hand_over(
        shipment,
        actor=buyer.actor,
        code=code,
        mass_kg=unloaded_kg,
        request_id=chance_id(it.random),
        now=it.now,
    )
    yield it.hours(2, 36)
    yield from judge(it, deal, seller=seller, buyer=buyer)


def judge(it: Market, deal: Deal, *, seller: Trader, buyer: Trader) -> Process:
    """Accept, correct, keep a part, or send back; then process what was kept."""
    luck = it.random.random()
    if luck < 0.03:
        deals.reject(
            deal, actor=buyer.actor, reason=Deal.ReasonCode.DAMAGED, note="Wet cases", now=it.now
        )
        yield it.hours(40, 150)
        deals.confirm_return(deal, actor=seller.actor, now=it.now)
        return
    if luck < 0.08:
        weighed = deal.weighings.get(stage="DELIVERY").net_kg
        kept = to_the_gram(weighed * Decimal("0.85"))
        reason = Deal.ReasonCode.WRONG_CHEMISTRY
        deals.part_accept(deal, actor=buyer.actor, accepted_kg=kept, reason=reason, now=it.now)
    else:
        yield from accept_or_correct(it, deal, seller=seller, buyer=buyer)
    deal = Deal.objects.get(pk=deal.pk)
    if deal.status == Deal.Status.SETTLED:
        yield from process(it, deal, buyer=buyer)


def accept_or_correct(it: Market, deal: Deal, *, seller: Trader, buyer: Trader) -> Process:
    """Accept what agrees with the contract; else propose the price of what was weighed."""
    try:
        deals.accept(deal, actor=buyer.actor, now=it.now)
        return
    except deals.OutsideTolerance:
        deals.propose_adjustment(deal, actor=buyer.actor, now=it.now)
    yield it.hours(2, 20)
    if it.chance(0.6):
        deals.agree_adjustment(deal, actor=seller.actor, now=it.now)
        return
    statement = "My scale showed more. Please look at the photo."
    dispute = deals.open_dispute(
        deal,
        actor=seller.actor,
        about=Dispute.About.WEIGHT,
        statement=statement,
        now=it.now,
    )
    yield it.hours(4, 40)
    if it.chance(0.5):
        deals.escalate(dispute, actor=seller.actor, now=it.now)
        yield it.hours(10, 60)
        decide(it, dispute)
        return
    for side in (seller, buyer):
        deals.agree_dispute(dispute, actor=side.actor, now=it.now)


def decide(it: Market, dispute: Dispute) -> None:
    """Let a verifier end a dispute half way between the two."""
    dispute.refresh_from_db()
    deal = Deal.objects.get(pk=dispute.deal_id)
    deals.decide_dispute(
        dispute,
        actor=it.by_role("VERIFIER")[0].actor,
        accepted_kg=dispute.proposed_kg or deal.declared_kg,
        price=max(dispute.proposed_price or deal.price, deal.paid_out),
        decision="Both scales are sealed. The delivery scale counts, as the contract says.",
        now=it.now,
    )


def process(it: Market, deal: Deal, *, buyer: Trader) -> Process:
    """Report what came out, and have it certified."""
    yield it.hours(30, 200)
    accepted = deal.accepted_kg or deal.declared_kg
    repurposes = buyer.party.role == "INTEGRATOR"
    feed = presumed_chemistry(deal.lot).feed
    outputs = (
        _reused(accepted, deal.lot.units) if repurposes else _recycled(it.random, accepted, feed)
    )
    rest = accepted - sum((output.mass_kg for output in outputs), Decimal(0))
    residue = to_the_gram(rest * RESIDUE_OF_REST)
    report = certificates.report_processing(
        deal,
        actor=buyer.actor,
        kind="REPURPOSED" if repurposes else "RECYCLED",
        input_kg=accepted,
        outputs=outputs,
        residue_kg=residue,
        loss_kg=rest - residue,
        processed_on=it.now.date(),
        request_id=chance_id(it.random),
        now=it.now,
    )
    yield it.minutes(1, 3)
    made = certificates.prepare_certificate(report.pk, now=it.now)
    certificate = certificates.store_certificate(made, now=it.now) if made else None
    if certificate is not None and not it.withdrawn and it.now < it.until - timedelta(days=4):
        it.withdrawn.append(certificate.pk)
        yield it.hours(30, 60)
        withdraw(it, certificate)


def withdraw(it: Market, certificate: Certificate) -> None:
    """Take one certificate back, so that visitors can see what that looks like."""
    first, second = it.by_role("VERIFIER")
    proposal = certificates.propose_withdrawal(
        certificate,
        actor=first.actor,
        public_reason="The plant's scale had not been calibrated that week.",
        now=it.now,
    )
    certificates.confirm_withdrawal(proposal, actor=second.actor, now=it.now)


def suspend_one(it: Market) -> Process:
    """Let one licence be suspended and come back."""
    holder = it.by_role("RECYCLER", "TH")[0]
    licence = holder.organisation.licences.get()
    verifier = it.by_role("VERIFIER")[1].actor
    reason = "The insurance has lapsed. Send us the renewed policy."
    accounts.suspend_licence(licence, actor=verifier, reason=reason, now=it.now)
    yield it.hours(20, 40)
    accounts.reinstate_licence(licence, actor=verifier, now=it.now)


def _on_the_scale(random: Random, declared_kg: Decimal) -> Decimal:
    """Return what is really there: mostly what was declared, sometimes clearly less."""
    spread = random.gauss(0, 0.008) if random.random() < 0.85 else random.uniform(-0.14, -0.04)
    return to_the_gram(declared_kg * Decimal(str(round(1 + spread, 5))))


def _recycled(random: Random, accepted_kg: Decimal, feed: str) -> list[Output]:
    return [
        Output(material, to_the_gram(accepted_kg * Decimal(str(round(share * random.uniform(0.94, 1.04), 5)))))
        for material, share in YIELDS[feed].items()
        if to_the_gram(accepted_kg * Decimal(str(share))) > 0
    ]  # fmt: skip


def _reused(accepted_kg: Decimal, units: int | None) -> list[Output]:
    pieces = max(1, int((units or 1) * REUSED_SHARE))
    return [Output("PACKS", to_the_gram(accepted_kg * REUSED_SHARE), units=pieces)]
