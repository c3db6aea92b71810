"""Which goods may go where, and what each seller has without a pool.

A *load* is what one seller has of one group at one place: it is fetched at one stop, or not at all, so that a seller
who would send everything together alone is never left with a costly rest. At a site it brings what the site's orders
pay for the lots that they take; the rest of it goes its own best way.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from marketplace.core.money import payable
from marketplace.core.quantities import great_circle_km

from .pool_terms import (
    ZERO,
    Alone,
    Lorry,
    Market,
    Outlet,
    PoolLot,
    PoolOrder,
    Segregation,
    Tariff,
    Use,
    UseChoice,
    Way,
)

KEEP = "KEEP"
"""The lot stays with its seller, to whom it is worth the reserve."""

Resources = Mapping[str, Decimal]
"""kg by order (``order:7``) or licence (``licence:X``)."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What one site would take of one load.

    :param lots: each lot with its order
    :param amounts: what the order pays for each lot, in their order; ``gross`` is the sum
    :param others_net: what the lots that stay behind bring by their own best ways
    :param most_freight: the most that the seller would pay for the lorry before being better off alone; above 0
    """

    outlet: int
    lots: tuple[tuple[PoolLot, PoolOrder], ...]
    amounts: tuple[Decimal, ...]
    mass_kg: Decimal
    volume_m3: Decimal
    gross: Decimal
    others_net: Decimal
    most_freight: Decimal
    draws: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class Load:
    """One possible stop of a lorry, what its seller has alone, and where it could go, best first."""

    seller: int
    place: tuple[float, float]
    landmass: str
    lots: tuple[PoolLot, ...]
    alone: Alone
    options: tuple[Taken, ...]


def priced(lorry: Lorry, tariff: Tariff, group: Segregation) -> tuple[Decimal, Decimal]:
    """Return a lorry's price of a trip and of a km for goods of a group.

    :source: OPTIMISATION 6: lithium costs a share more a km and a sum more a trip
    """
    if not group.is_lithium:
        return lorry.fixed, lorry.per_km
    return (
        lorry.fixed + tariff.dangerous_fixed,
        lorry.per_km * (1 + tariff.dangerous_per_km_share),
    )


def own_trip_cost(
    market: Market, group: Segregation, *, km: Decimal, mass_kg: Decimal
) -> Decimal | None:
    """Return what a seller pays for fetching their goods by lorries of their own: full ones, and one for the rest.

    :param km: there and back
    :returns: None if there is no lorry
    """
    kinds = [
        (lorry.payload_kg, *priced(lorry, market.tariff, group)) for lorry in market.tariff.lorries
    ]
    if not kinds:
        return None
    largest = max(payload for payload, _fixed, _per_km in kinds)
    full = int(mass_kg // largest)
    rest = mass_kg - full * largest
    trips = [
        min(fixed + per_km * km for payload, fixed, per_km in kinds if payload == largest)
    ] * full
    if rest > 0:
        trips.append(
            min(fixed + per_km * km for payload, fixed, per_km in kinds if payload >= rest)
        )
    cost = sum(trips, ZERO) + market.tariff.per_stop * len(trips)
    return payable(cost, market.currency)


def parcel_cost(market: Market, mass_kg: Decimal) -> Decimal | None:
    """Return what sending a lot as parcels costs; None if it is too heavy for that."""
    tariff = market.tariff
    if tariff.parcel_most_kg is not None and mass_kg > tariff.parcel_most_kg:
        return None
    return payable(max(tariff.parcel_least, tariff.parcel_per_kg * mass_kg), market.currency)


def accepts(order: PoolOrder, lot: PoolLot, licence_kg_left: Resources) -> bool:
    """Tell whether an order may take a whole lot: material, group, health, seller, kilograms left, licence."""
    if lot.material != order.material or lot.group not in order.groups:
        return False
    if lot.seller in order.not_sellers or lot.mass_kg > order.kg_left:
        return False
    if order.licence and lot.mass_kg > licence_kg_left.get(order.licence, ZERO):
        return False
    if order.least_health is not None and (lot.health is None or lot.health < order.least_health):
        return False
    return not (
        order.most_health is not None and lot.health is not None and lot.health > order.most_health
    )


@dataclass(frozen=True, slots=True)
class _Offer:
    """An order for a lot, and about what it leaves after a full lorry's freight."""

    order: PoolOrder
    outlet: Outlet
    net: float


class Candidates:
    """The loads of one shard, each with its best way alone and the sites it could go to in a pool."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.outlets = {outlet.id: outlet for outlet in market.outlets}
        self.by_kind: dict[tuple[str, str, Segregation], list[PoolOrder]] = defaultdict(list)
        for order in market.orders:
            country = self.outlets[order.outlet].country
            for group in order.groups:
                self.by_kind[country, order.material, group].append(order)
        for orders in self.by_kind.values():
            orders.sort(key=lambda order: (-order.price_per_kg, order.id))
        self.uses: dict[int, list[_Offer]] = {}
        self._km: dict[tuple[int, tuple[float, float]], Decimal] = {}

    def loads(self) -> list[Load]:
        """Return every load that has a lot, in the order of the sellers."""
        piles: dict[tuple[int, tuple[float, float], str, Segregation], list[PoolLot]]
        piles = defaultdict(list)
        for lot in self.market.lots:
            piles[lot.seller, lot.place, lot.landmass, lot.group].append(lot)
        return [self._load(sorted(piles[key], key=lambda lot: lot.id)) for key in sorted(piles)]

    def km(self, outlet: Outlet, place: tuple[float, float]) -> Decimal:
        """Return the km by road from a place to a site, to 100 m."""
        key = (outlet.id, place)
        if key not in self._km:
            crow = great_circle_km(outlet.place, place)
            road = round(crow * float(self.market.tariff.road_factor), 1)
            self._km[key] = Decimal(str(road))
        return self._km[key]

    def use_of(self, lot: PoolLot, order: PoolOrder) -> UseChoice:
        """Return why a lot may go to an order's use: no higher one is open, or it pays more by the premium."""
        offers = self.uses[lot.id]
        net = max(offer.net for offer in offers if offer.order.id == order.id)
        higher = [offer for offer in offers if offer.order.use > order.use]
        cents = Decimal("0.01")
        if not higher:
            return UseChoice(lot.id, order.use, "HIGHEST", Decimal(str(net)).quantize(cents))
        best = max(higher, key=lambda offer: (offer.net, -offer.order.id))
        return UseChoice(
            lot.id,
            order.use,
            "LOWER_PAYS_MORE",
            Decimal(str(net)).quantize(cents),
            best.order.use,
            Decimal(str(best.net)).quantize(cents),
        )

    def _load(self, lots: Sequence[PoolLot]) -> Load:
        first = lots[0]
        offers = {lot.id: self._offers(lot) for lot in lots}
        by_lot, ways = {}, {}
        for lot in lots:
            by_lot[lot.id], ways[lot.id] = self._best_alone(lot, offers[lot.id])
        apart = sum(by_lot.values(), ZERO)
        codes = {code for code, _outlet in ways.values()}
        sites = {outlet for _code, outlet in ways.values()}
        best, way = apart, codes.pop() if len(codes) == 1 else Way.MIXED.value
        outlet = sites.pop() if len(sites) == 1 else None
        sites_taken = self._at_sites(lots, offers, by_lot)
        for site, taken in sites_taken.items():
            if self.outlets[site].landmass != first.landmass:
                continue
            cost = own_trip_cost(
                self.market,
                first.group,
                km=2 * self.km(self.outlets[site], first.place),
                mass_kg=taken.mass_kg,
            )
            if cost is not None and taken.gross - cost + taken.others_net > best:
                best = taken.gross - cost + taken.others_net
                way, outlet = Way.OWN_TRIP.value, site
        alone = Alone(first.seller, tuple(lot.id for lot in lots), best, way, outlet, by_lot)
        options = [
            Taken(
                outlet=site,
                lots=taken.lots,
                amounts=taken.amounts,
                mass_kg=taken.mass_kg,
                volume_m3=taken.volume_m3,
                gross=taken.gross,
                others_net=taken.others_net,
                most_freight=taken.gross + taken.others_net - best,
                draws=taken.draws,
            )
            for site, taken in sites_taken.items()
            if self.outlets[site].landmass == first.landmass
            and taken.gross + taken.others_net > best
        ]
        options.sort(key=lambda taken: (-self._after_freight(first, taken), taken.outlet))
        return Load(
            first.seller,
            first.place,
            first.landmass,
            tuple(lots),
            alone,
            tuple(options[: self.market.policy.buyers_a_lot]),
        )

    def _after_freight(self, lot: PoolLot, taken: Taken) -> float:
        km = float(self.km(self.outlets[taken.outlet], lot.place))
        return float(taken.most_freight) - full_lorry_share(
            self.market, lot.group, km=km, mass_kg=float(taken.mass_kg)
        )

    def _offers(self, lot: PoolLot) -> list[_Offer]:
        """Return the orders that may take a lot, those of a lower use only if they pay enough more."""
        found = []
        for order in self.by_kind[lot.country, lot.material, lot.group]:
            if accepts(order, lot, self.market.licence_kg_left):
                outlet = self.outlets[order.outlet]
                gross = float(order.price_per_kg * lot.mass_kg)
                freight = full_lorry_share(
                    self.market,
                    lot.group,
                    km=float(self.km(outlet, lot.place)),
                    mass_kg=float(lot.mass_kg),
                )
                found.append(_Offer(order, outlet, gross - freight))
        self.uses[lot.id] = found
        best: dict[Use, float] = {}
        for offer in found:
            best[offer.order.use] = max(best.get(offer.order.use, offer.net), offer.net)
        premium = 1 + float(self.market.policy.lower_use_premium)
        allowed = []
        for offer in found:
            higher = [net for use, net in best.items() if use > offer.order.use]
            if not higher or max(higher) <= 0 or offer.net > premium * max(higher):
                allowed.append(offer)
        return allowed

    def _best_alone(
        self, lot: PoolLot, offers: Sequence[_Offer]
    ) -> tuple[Decimal, tuple[str, int | None]]:
        best: Decimal = max(lot.reserve, ZERO)
        way: tuple[str, int | None] = (KEEP if best > 0 else Way.NONE.value, None)
        for code in sorted(lot.gate_offers):
            if lot.gate_offers[code] > best:
                best, way = lot.gate_offers[code], (code, None)
        parcel = parcel_cost(self.market, lot.mass_kg)
        if parcel is not None:
            for offer in offers:
                net = self._amount(lot, offer.order) - parcel
                if net > best:
                    best, way = net, (Way.PARCEL.value, offer.outlet.id)
        return best, way

    def _at_sites(
        self,
        lots: Sequence[PoolLot],
        offers: Mapping[int, Sequence[_Offer]],
        by_lot: Mapping[int, Decimal],
    ) -> dict[int, Taken]:
        """Return what each site would take of these lots: those that bring more there than by their own way."""
        chosen: dict[int, list[tuple[PoolLot, PoolOrder]]] = defaultdict(list)
        draws: dict[int, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
        for lot in sorted(lots, key=lambda lot: (-lot.mass_kg, lot.id)):
            sites_seen = set()
            for offer in offers[lot.id]:
                site = offer.outlet.id
                if site in sites_seen or self._amount(lot, offer.order) <= by_lot[lot.id]:
                    continue
                drawn = draws[site]
                fits = all(
                    drawn[name] + lot.mass_kg <= left
                    for name, left in self.resources(offer.order).items()
                )
                if fits:
                    sites_seen.add(site)
                    chosen[site].append((lot, offer.order))
                    for name in self.resources(offer.order):
                        drawn[name] += lot.mass_kg
        whole = sum(by_lot.values(), ZERO)
        for pairs in chosen.values():
            pairs.sort(key=lambda pair: pair[0].id)
        return {
            site: Taken(
                outlet=site,
                lots=tuple(pairs),
                amounts=tuple(self._amount(lot, order) for lot, order in pairs),
                mass_kg=sum((lot.mass_kg for lot, _order in pairs), ZERO),
                volume_m3=sum((lot.volume_m3 or ZERO for lot, _order in pairs), ZERO),
                gross=sum((self._amount(lot, order) for lot, order in pairs), ZERO),
                others_net=whole - sum((by_lot[lot.id] for lot, _order in pairs), ZERO),
                most_freight=ZERO,
                draws=dict(draws[site]),
            )
            for site, pairs in chosen.items()
        }

    def resources(self, order: PoolOrder) -> Resources:
        """Return what a delivery to an order draws on, with the kg left of it."""
        left = {f"order:{order.id}": order.kg_left}
        if order.licence:
            left[f"licence:{order.licence}"] = self.market.licence_kg_left.get(order.licence, ZERO)
        return left

    def _amount(self, lot: PoolLot, order: PoolOrder) -> Decimal:
        return payable(order.price_per_kg * lot.mass_kg, self.market.currency)


def full_lorry_share(market: Market, group: Segregation, *, km: float, mass_kg: float) -> float:
    """Return about what a load's place in a well filled lorry costs: the cheapest kind at four fifths of its payload.

    An estimate to rank sites by; nobody pays it.

    :param km: one way
    """
    shares = []
    for lorry in market.tariff.lorries:
        fixed, per_km = priced(lorry, market.tariff, group)
        part = mass_kg / (0.8 * float(lorry.payload_kg))
        shares.append((float(fixed) + 2 * km * float(per_km)) * max(part, 0.0))
    return min(shares, default=0.0) + float(market.tariff.per_stop)
