"""What a pooling run is given and what it answers: plain frozen data, with its units.

Money is in one currency a run (``Market.currency``), masses in kg, moments aware UTC. A run is for one or more shards;
a shard holds goods that could ever share a lorry: one country, one landmass, one group of dangerous goods, one catchment.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import IntEnum, StrEnum

from .sharing import Group as Members
from .sharing import Reason as ShareReason

ZERO = Decimal(0)


class Segregation(StrEnum):
    """Goods of different groups never share a lorry: damaged never with sound, lithium never with acid.

    :source: ADR 2025, 2.2.9.1.7 and special provision 376 (damaged or defective lithium cells and batteries), as the
        reference tables name them; OPTIMISATION 6 for lithium apart from the others
    """

    LITHIUM_SOUND = "LITHIUM_SOUND"
    LITHIUM_DAMAGED = "LITHIUM_DAMAGED"
    OTHER_SOUND = "OTHER_SOUND"
    OTHER_DAMAGED = "OTHER_DAMAGED"

    @property
    def is_lithium(self) -> bool:
        return self in {Segregation.LITHIUM_SOUND, Segregation.LITHIUM_DAMAGED}

    @property
    def is_damaged(self) -> bool:
        return self in {Segregation.LITHIUM_DAMAGED, Segregation.OTHER_DAMAGED}


def segregation_of(*, is_lithium: bool, is_damaged: bool) -> Segregation:
    """Return the group with which goods may travel.

    >>> segregation_of(is_lithium=True, is_damaged=False).value
    'LITHIUM_SOUND'
    """
    kind = "LITHIUM" if is_lithium else "OTHER"
    return Segregation(f"{kind}_{'DAMAGED' if is_damaged else 'SOUND'}")


class Use(IntEnum):
    """What becomes of the goods, the higher the better. A lower use must pay ``Policy.lower_use_premium`` more.

    :source: Directive 2008/98/EC, article 4, the waste hierarchy
    """

    RECOVER = 1
    RECYCLE = 2
    REPURPOSE = 3
    REUSE = 4


@dataclass(frozen=True, slots=True)
class PoolLot:
    """A lot that its seller would put in a pool.

    :param place: latitude and longitude of where it is fetched, degrees
    :param landmass: name of the island or mainland; a lorry does not leave it. Empty joins all of a country
    :param material: as orders name it, a chemistry's code
    :param volume_m3: None: only its mass matters
    :param health: share of its first capacity, in [0, 1]; None: not known
    :param reserve: least money for the whole lot at the seller's gate that the seller would take
    :param gate_offers: what others would pay at the gate without any lorry of ours, by a code: SCRAP, PICKED_UP, AUCTION.
        The best of them counts among the seller's ways alone.
    :param opens_at: first moment of loading; None: any time of the run
    :param closes_at: last moment at which loading may begin
    """

    id: int
    seller: int
    place: tuple[float, float]
    country: str
    material: str
    group: Segregation
    mass_kg: Decimal
    landmass: str = ""
    volume_m3: Decimal | None = None
    health: Decimal | None = None
    reserve: Decimal = ZERO
    gate_offers: Mapping[str, Decimal] = field(default_factory=dict)
    opens_at: datetime | None = None
    closes_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Outlet:
    """A buyer's site, where lorries unload."""

    id: int
    buyer: int
    place: tuple[float, float]
    country: str
    landmass: str = ""


@dataclass(frozen=True, slots=True)
class PoolOrder:
    """What one site pays for one kind of goods, delivered.

    :param groups: the groups that its licence and its plant take
    :param price_per_kg: money for a kg delivered to the site
    :param kg_left: what the order still takes
    :param licence: which licence is drawn on, a key of ``Market.licence_kg_left``; empty: none is needed
    :param least_health: health a lot must have; None: any, also unknown
    :param sellers: with whom it deals; None: everybody. For related parties and blocked sellers
    """

    id: int
    outlet: int
    material: str
    groups: frozenset[Segregation]
    use: Use
    price_per_kg: Decimal
    kg_left: Decimal
    licence: str = ""
    least_health: Decimal | None = None
    most_health: Decimal | None = None
    not_sellers: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Lorry:
    """A kind of lorry and its tariff without surcharges.

    :param number: how many trips it can make for each site in a run
    """

    name: str
    payload_kg: Decimal
    fixed: Decimal
    per_km: Decimal
    volume_m3: Decimal | None = None
    number: int = 99


@dataclass(frozen=True, slots=True)
class Tariff:
    """What moving goods costs in one country. All figures come from the reference tables.

    :param dangerous_per_km_share: added to the price of a km when lithium travels, 0.2 for a fifth
    :param dangerous_fixed: added to a trip when lithium travels
    :param per_stop: money for each pick-up
    :param parcel_least: least price of a parcel
    :param parcel_per_kg: price of a parcel's kg
    :param parcel_most_kg: largest lot that goes as parcels; None: any
    :param road_factor: road km per great-circle km
    :param speed_kmh: mean speed on the road
    :param loading_minutes: at each stop
    :param driving_minutes: longest driving between two rests
    :param rest_minutes: length of such a rest
    :param most_days: longest time from departure to return, days
    """

    lorries: tuple[Lorry, ...]
    per_stop: Decimal
    parcel_least: Decimal
    parcel_per_kg: Decimal
    dangerous_per_km_share: Decimal = ZERO
    dangerous_fixed: Decimal = ZERO
    parcel_most_kg: Decimal | None = None
    road_factor: Decimal = Decimal("1.3")
    speed_kmh: Decimal = Decimal(45)
    loading_minutes: int = 20
    driving_minutes: int = 540
    rest_minutes: int = 660
    most_days: int = 5


@dataclass(frozen=True, slots=True)
class Policy:
    """What the house wants of a pool, besides money.

    :param lower_use_premium: share by which a lower use must pay more than the best higher one, 0.05 for a twentieth
    :param most_stops: stops of a lorry; 14 keeps every sharing exact
    :param least_gain_share: a pool is offered only if its sellers together gain at least this part of what they have alone
    :param least_sellers: a pool of one seller is no pool
    :param buyers_a_lot: how many sites are looked at for each seller
    """

    lower_use_premium: Decimal = Decimal("0.05")
    most_stops: int = 14
    least_gain_share: Decimal = ZERO
    least_sellers: int = 2
    buyers_a_lot: int = 12


@dataclass(frozen=True, slots=True)
class Market:
    """All that a run decides on. The digest of it is the digest of the run's inputs.

    :param starts_at: when the first lorry may leave
    :param ends_at: when the last one must be back
    :param licence_kg_left: kg that a licence still takes this year
    """

    lots: tuple[PoolLot, ...]
    outlets: tuple[Outlet, ...]
    orders: tuple[PoolOrder, ...]
    tariff: Tariff
    starts_at: datetime
    ends_at: datetime
    currency: str = "USD"
    licence_kg_left: Mapping[str, Decimal] = field(default_factory=dict)
    policy: Policy = Policy()

    @property
    def horizon(self) -> timedelta:
        return self.ends_at - self.starts_at


class Way(StrEnum):
    """What a seller can do alone; offers at the gate add codes of their own."""

    NONE = "NONE"  # nobody takes it
    PARCEL = "PARCEL"  # each lot as parcels to the site that leaves most
    OWN_TRIP = "OWN_TRIP"  # one lorry of their own with all their lots to one site
    MIXED = "MIXED"  # some lots one way, some another


@dataclass(frozen=True, slots=True)
class Alone:
    """A seller's best without a pool, for all their lots of one group at one place.

    :param net: money after freight, at least the best offers at the gate
    :param way: a :class:`Way` or the code of an offer at the gate
    :param outlet: where it goes, if one site takes it all
    :param by_lot: what each lot brings by its own best way (not the trip with all of them), by lot id
    """

    seller: int
    lots: tuple[int, ...]
    net: Decimal
    way: str
    outlet: int | None
    by_lot: Mapping[int, Decimal]


@dataclass(frozen=True, slots=True)
class Sold:
    """One lot of a pool: which order takes it at what price."""

    lot: int
    order: int
    use: Use
    mass_kg: Decimal
    price_per_kg: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class PoolStop:
    """One pick-up: where, when, and what is loaded."""

    seller: int
    lots: tuple[int, ...]
    place: tuple[float, float]
    arrives_at: datetime
    loads_at: datetime
    km_before: Decimal


@dataclass(frozen=True, slots=True)
class PoolShare:
    """What one stop's seller gets in the pool, beside what they have alone.

    ``net = gross - freight + others_net``, never below ``alone``; ``gain = net - alone``.

    :param gross: what the buyer pays for the lots in the lorry
    :param freight: this seller's share of the lorry
    :param others_net: what their lots bring that this buyer does not take, each by its own best way alone
    :param alone: what all these lots bring without the pool
    :param alone_freight: the most that this seller would pay for the lorry before being better off alone
    """

    seller: int
    lots: tuple[int, ...]
    gross: Decimal
    freight: Decimal
    others_net: Decimal
    net: Decimal
    alone: Decimal
    alone_way: str
    alone_freight: Decimal
    gain: Decimal
    reason: ShareReason


@dataclass(frozen=True, slots=True)
class Pool:
    """One lorry to one buyer's site: what it loads, when, what it costs and who pays how much of it.

    :param key: the same for the same goods, buyer and lorry, whatever the run; hexadecimal
    :param freight: what the lorry costs; the sum of the shares
    :param stand_alone_freight: what the same goods to the same site would cost if every stop sent them by itself
    :param in_core: no group of these sellers would do better by itself
    :param epsilon: the least-core value, in money: negative if some group could gain by leaving
    :param worst_gain: what the most tempted group would gain, 0 if none would
    :param worst_group: the members of that group: positions in ``shares``
    """

    key: str
    outlet: int
    buyer: int
    group: Segregation
    country: str
    lorry: str
    sold: tuple[Sold, ...]
    stops: tuple[PoolStop, ...]
    departs_at: datetime
    unloads_at: datetime
    returns_at: datetime
    km: Decimal
    mass_kg: Decimal
    fill: Decimal
    gross: Decimal
    freight: Decimal
    stand_alone_freight: Decimal
    shares: tuple[PoolShare, ...]
    sharing: str
    in_core: bool
    is_exact: bool
    epsilon: Decimal | None
    worst_gain: Decimal
    worst_group: Members

    @property
    def lots(self) -> tuple[int, ...]:
        """The ids of the lots that it loads, in order of the stops."""
        return tuple(lot for stop in self.stops for lot in stop.lots)

    @property
    def gain(self) -> Decimal:
        return sum((share.gain for share in self.shares), ZERO)


@dataclass(frozen=True, slots=True)
class UseChoice:
    """Why a lot goes to its use: for the log that explains a lower one.

    ``code``: HIGHEST (no higher use was open), LOWER_PAYS_MORE (it beats the best higher one by the premium).
    """

    lot: int
    use: Use
    code: str
    net: Decimal
    higher_use: Use | None = None
    higher_net: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """The answer: pools, who stays alone, and how good it is known to be.

    :param inputs_digest: sha256 of the market, policy and seed; equal inputs give an equal answer
    :param status: OPTIMAL (the best choice of the pools generated, proven), TIME_LIMIT (best found, with its gap),
        GREEDY (the solver gave nothing better than the floor), EMPTY (nothing to choose from)
    :param value: what all sellers have after freight, pooled or not
    :param alone_value: what they would have without pools
    :param greedy_value: the value of taking the best pool first, the floor
    :param bound: no choice of the pools generated is worth more
    :param gap: (bound - value) / value, at least 0
    :param candidates: how many pools were generated to choose from
    :param seconds: processor time
    """

    inputs_digest: str
    seed: int
    status: str
    value: Decimal
    alone_value: Decimal
    greedy_value: Decimal
    bound: Decimal
    gap: Decimal
    candidates: int
    seconds: float
    pools: tuple[Pool, ...]
    alone: tuple[Alone, ...]
    uses: tuple[UseChoice, ...] = ()

    @property
    def gain(self) -> Decimal:
        return self.value - self.alone_value
