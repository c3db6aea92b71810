"""What happens to a pile of packs: described, valued, auctioned. Every step is a service call by somebody."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from random import Random

from django.core.files.uploadedfile import SimpleUploadedFile

from marketplace.accounts.actors import Actor
from marketplace.core.money import payable
from marketplace.lots import services as lots
from marketplace.lots.models import Lot, LotPhoto
from marketplace.lots.rules import Sign
from marketplace.market import services as market
from marketplace.market.models import Auction
from marketplace.market.queries import suggested_terms

from .calendar import Calendar, Process
from .drawing import photograph
from .people import Trader, chance_id
from .stock import Pile

SIGNS = {
    "GREEN": ((),),
    "AMBER": ((Sign.DENTED,), (Sign.SWOLLEN,), (Sign.WET,), (Sign.CUT,)),
    "RED": ((Sign.HOT,), (Sign.SMELL, Sign.SWOLLEN), (Sign.WET, Sign.CUT)),
}


@dataclass(frozen=True, slots=True)
class Market:
    """Who trades, by what clock, and with what luck."""

    calendar: Calendar
    random: Random
    until: datetime
    staff: Actor
    traders: dict[int, Trader] = field(default_factory=dict)  # by organisation
    withdrawn: list[int] = field(default_factory=list)  # certificates that were taken back

    @property
    def now(self) -> datetime:
        return self.calendar.now

    def by_role(self, role: str, country: str | None = None) -> list[Trader]:
        return [
            trader
            for trader in self.traders.values()
            if trader.party.role == role and country in (None, trader.party.country)
        ]

    def minutes(self, least: float, most: float) -> timedelta:
        """Return a wait of so many minutes, to the second."""
        return timedelta(seconds=round(self.random.uniform(least, most) * 60))

    def hours(self, least: float, most: float) -> timedelta:
        return self.minutes(least * 60, most * 60)

    def chance(self, share: float) -> bool:
        return self.random.random() < share


def sell(it: Market, seller: Trader, pile: Pile) -> Process:
    """Describe a pile, hand it in, and offer it once it is valued."""
    actor = seller.actor
    forgets = it.chance(0.05)
    lot = lots.start_lot(actor=actor, request_id=chance_id(it.random), now=it.now)
    for shows, picture in pictures_of(pile):
        yield it.minutes(0.3, 2)
        lots.add_photo(
            lot,
            actor=actor,
            upload=SimpleUploadedFile("photo.jpg", picture),
            shows=shows,
            now=it.now,
        )
    yield it.minutes(0.2, 2)
    lots.answer_origin(lot, actor=actor, origin=pile.origin, now=it.now)
    chemistry = pile.pack.chemistry if pile.knows_chemistry else None
    lots.answer_chemistry(lot, actor=actor, chemistry=chemistry, now=it.now)
    if forgets and it.chance(0.4):
        return
    lots.answer_amount(
        lot,
        actor=actor,
        mass_kg=pile.mass_kg,
        energy_kwh=pile.energy_kwh if pile.knows_energy else None,
        units=pile.count,
        now=it.now,
    )
    if pile.state_of_health is not None:
        lots.answer_health(lot, actor=actor, state_of_health=pile.state_of_health, now=it.now)
    town = seller.town
    lots.answer_place(
        lot, actor=actor, country=town.country, geoname_id=town.geoname_id, now=it.now
    )
    if forgets:
        return
    yield it.minutes(0.2, 1)
    seen = it.random.choice(SIGNS[pile.triage])
    lot = lots.answer_triage(
        lot, actor=actor, answers={sign: sign in seen for sign in Sign}, now=it.now
    )
    if lot.status == Lot.Status.QUARANTINED:
        yield from make_safe(it, seller, lot)
        return
    yield it.minutes(0.2, 1)
    lot = lots.declare_and_submit(lot, actor=actor, now=it.now)
    if it.chance(0.025):
        lots.ask_seller(lot, actor=it.staff, question="What does the label say?", now=it.now)
        yield it.hours(4, 90)
        lots.answer_question(lot, actor=actor, answer=pile.note, now=it.now)
    yield it.hours(0.3, 10)
    if it.chance(0.22):
        return  # keeps it, and looks at the price every now and then
    if it.chance(0.02):
        lots.withdraw_lot(lot, actor=actor, now=it.now)
        return
    yield from offer(it, seller, lot)


def make_safe(it: Market, seller: Trader, lot: Lot) -> Process:
    """Call the people who can move what nobody else may."""
    yield it.hours(1, 30)
    lot = lots.call_safety_pickup(lot, actor=seller.actor, now=it.now)
    yield it.hours(20, 90)
    lots.mark_disposed(lot, by=it.staff, now=it.now)


def offer(it: Market, seller: Trader, lot: Lot, *, again: bool = False) -> Process:
    """Open an auction, see it through, and decide or offer again if it did not sell."""
    terms = suggested_terms(lot)
    if terms is None or terms.valuation is None or terms.valuation.typical <= 0:
        return  # worth less than its treatment: stays valued
    currency = terms.valuation.currency
    factor = Decimal(
        str(round(it.random.uniform(0.75, 1.0) if again else it.random.uniform(0.9, 1.15), 3))
    )
    starting = max(_round(terms.starting_price * factor, currency), terms.step)
    reserve = max(_round(terms.reserve * factor, currency), starting)
    planned = it.hours(2, 30) if it.chance(0.25) else timedelta()
    lasts = timedelta(hours=it.random.choice((24, 48, 72, 72, 96, 120)))
    opens_at = it.now + planned
    auction = market.open_auction(
        lot,
        actor=seller.actor,
        mode=Auction.Mode.SEALED if it.chance(0.25) else Auction.Mode.OPEN,
        starting_price=starting,
        reserve=reserve,
        step=terms.step,
        opens_at=opens_at,
        closes_at=opens_at + lasts,
        request_id=chance_id(it.random),
        now=it.now,
    )
    if planned:
        yield opens_at
        market.open_planned_auction(auction, clock=it.calendar.clock)
    worth = terms.valuation.typical
    for buyer in buyers_for(it, lot):
        if it.chance(0.75):
            begins = opens_at + lasts * it.random.betavariate(2, 2)
            it.calendar.start(bid(it, buyer, auction, worth), begins)
    while market.close_auction(auction, clock=it.calendar.clock) is None:
        auction.refresh_from_db()
        yield auction.closes_at
    yield from after_close(it, seller, auction, again=again)


def after_close(it: Market, seller: Trader, auction: Auction, *, again: bool) -> Process:
    """Take a bid below the reserve or not; offer an unsold lot once more."""
    yield it.hours(0.5, 20)
    auction.refresh_from_db()
    if auction.status == Auction.Status.SELLER_DECISION:
        market.decide(auction, actor=seller.actor, accept=it.chance(0.6), now=it.now)
        auction.refresh_from_db()
    if auction.status == Auction.Status.UNSOLD and not again and it.chance(0.5):
        yield it.hours(10, 60)
        lot = Lot.objects.get(pk=auction.lot_id)
        yield from offer(it, seller, lot, again=True)


def buyers_for(it: Market, lot: Lot) -> Iterator[Trader]:
    """Yield those in the lot's country whose trade it is."""
    for role in ("RECYCLER", "INTEGRATOR"):
        for trader in it.by_role(role, lot.country):
            takes = trader.party.materials
            if not takes or lot.chemistry_id is None or lot.chemistry_id in takes:
                yield trader


def bid(it: Market, buyer: Trader, auction: Auction, worth: Decimal) -> Process:
    """Bid up to what it is worth to this buyer, in a few steps; stop when somebody goes further."""
    limit = worth * Decimal(str(round(it.random.uniform(0.82, 1.16), 4)))
    for _attempt in range(it.random.choice((1, 2, 2, 3))):
        auction.refresh_from_db()
        if auction.leader_id == buyer.organisation.pk:
            return
        leading = auction.price or auction.starting_price
        share = Decimal(str(round(it.random.uniform(0.2, 0.8), 3)))
        wanted = leading + (limit - leading) * share
        if auction.mode == Auction.Mode.SEALED:
            wanted = limit
        if wanted < leading + auction.step:
            return
        market.place_bid(
            auction,
            actor=buyer.actor,
            maximum=max(
                _round(wanted, auction.currency), payable(leading + auction.step, auction.currency)
            ),
            currency=auction.currency,
            request_id=chance_id(it.random),
            clock=it.calendar.clock,
            confirmed=True,
        )
        if auction.mode == Auction.Mode.SEALED:
            return
        yield it.hours(0.3, 9)


def _round(amount: Decimal, currency: str) -> Decimal:
    """Round to three digits, as people do when they name a price."""
    return payable(amount.quantize(Decimal(1).scaleb(amount.adjusted() - 2)), currency)


@dataclass(frozen=True, slots=True)
class Look:
    """What decides a picture, so that equal piles are drawn once."""

    kind: str
    css_class: str
    letters: str
    volts: str
    count: int
    seed: int
    damaged: bool
    close: bool = False


def pictures_of(pile: Pile) -> Iterator[tuple[str, bytes]]:
    """Yield what the collector photographed: all of it, and often the label."""
    pack = pile.pack
    look = Look(
        kind=pack.kind,
        css_class=pack.chemistry.css_class,
        letters=pack.chemistry.letters,
        volts=f"{pack.nominal_volts:g} V",
        count=min(pile.count, 12),
        seed=pile.seed % 5,
        damaged=pile.triage != "GREEN",
    )
    yield LotPhoto.Shows.WHOLE, _picture(look)
    if pile.seed % 3 == 0:
        yield LotPhoto.Shows.LABEL, _picture(replace(look, count=1, close=True))


@lru_cache(maxsize=400)
def _picture(look: Look) -> bytes:
    return photograph(**asdict(look))
