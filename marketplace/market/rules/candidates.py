"""Which buyers are worth a thought for a lot: the best few of those who take its material within reach, by a freight estimate.

Dense arithmetic on blocks of lots against all buyers of a region: 100,000 lots and 1,000 buyers in seconds, in bounded memory.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marketplace.core.quantities import EARTH_RADIUS_KM

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]

BLOCK = 2_000_000  # pairs looked at together: about 100 MB


@dataclass(frozen=True, slots=True)
class Freight:
    """An estimate of what it costs to bring a lot to a buyer: base + per_km * km + per_kg_km * kg * km, road km.

    :param base: money a trip
    :param road_factor: road kilometres per kilometre as the crow flies
    """

    base: float
    per_km: float
    per_kg_km: float
    road_factor: float


@dataclass(frozen=True, slots=True)
class Edges:
    """Pairs worth considering, sorted by lot, then by buyer. Shapes (edges,).

    :param gain: money above the lot's outside option after estimated freight, positive
    """

    lot: Whole
    buyer: Whole
    gain: Floats


def candidates(
    *,
    place: Floats,
    mass_kg: Floats,
    material: Whole,
    region: Whole,
    outside: Floats,
    buyer_place: Floats,
    buyer_region: Whole,
    price: Floats,
    freight: Freight,
    reach_km: float,
    most: int = 15,
) -> Edges:
    """Return for each lot the buyers with the greatest gain, ``most`` at most, only those within reach and of its region.

    :param place: shape (lots, 2), latitude and longitude in degrees
    :param mass_kg: shape (lots,)
    :param material: shape (lots,), a column of ``price``
    :param region: shape (lots,); lots and buyers of different regions (countries, coasts, danger classes) never meet
    :param outside: shape (lots,), money of the outside option
    :param buyer_place: shape (buyers, 2)
    :param buyer_region: shape (buyers,)
    :param price: shape (buyers, materials), money for a kg; NaN or not positive where the buyer may not or will not take it
    :param reach_km: as the crow flies
    :raises ValueError: if a place is not on Earth
    """
    for given in (place, buyer_place):
        if len(given) and not (
            np.isfinite(given).all()
            and np.abs(given[:, 0]).max() <= 90
            and np.abs(given[:, 1]).max() <= 180
        ):
            raise ValueError("A place is not on Earth.")
    there, theirs = _on_a_sphere(place), _on_a_sphere(buyer_place)
    asked = np.nan_to_num(price, nan=0.0).T.astype(np.float32)
    parts = []
    for each in np.unique(region).tolist():
        lots, buyers = np.flatnonzero(region == each), np.flatnonzero(buyer_region == each)
        if not len(buyers):
            continue
        step = max(BLOCK // len(buyers), 1)
        for at in range(0, len(lots), step):
            block = lots[at : at + step]
            crow = _crow_km(there[block], theirs[buyers])
            kg = mass_kg[block, None].astype(np.float32)
            paid = asked[np.ix_(np.arange(len(asked)), buyers)][material[block]]
            km = crow * np.float32(freight.road_factor)
            gain = paid * kg - (freight.per_km + freight.per_kg_km * kg) * km
            gain -= (freight.base + outside[block, None]).astype(np.float32)
            gain[(crow > reach_km) | (paid <= 0)] = -1
            parts.append(_best_few(gain, block, buyers, most))
    if not parts:
        nothing = np.empty(0, dtype=np.int64)
        return Edges(nothing, nothing, np.empty(0))
    lot, buyer, worth = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((buyer, lot))
    return Edges(lot[order], buyer[order], worth[order])


def _on_a_sphere(place: Floats) -> NDArray[np.float32]:
    """Return unit vectors, shape (n, 3): a chord is cheaper than an arc."""
    latitude, longitude = np.radians(place.reshape(-1, 2)).T
    flat = np.cos(latitude)
    vector = (flat * np.cos(longitude), flat * np.sin(longitude), np.sin(latitude))
    return np.stack(vector, axis=1).astype(np.float32)


def _crow_km(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return great-circle kilometres, shape (len(a), len(b)), by chords: sums of squares, which stay exact for neighbours."""
    chord = np.zeros((len(a), len(b)), dtype=np.float32)
    for axis in range(3):
        chord += np.square(a[:, axis, None] - b[None, :, axis])
    half = np.sqrt(chord, out=chord)
    half *= np.float32(0.5)
    np.minimum(half, np.float32(1), out=half)
    return np.asarray(np.arcsin(half, out=half) * np.float32(2 * EARTH_RADIUS_KM))


def _best_few(
    gain: NDArray[np.float32], lots: Whole, buyers: Whole, most: int
) -> tuple[Whole, Whole, Floats]:
    if gain.shape[1] > most:
        kept = np.argpartition(-gain, most - 1, axis=1)[:, :most]
    else:
        kept = np.broadcast_to(np.arange(gain.shape[1]), gain.shape)
    worth = np.take_along_axis(gain, kept, axis=1)
    row, column = np.nonzero(worth > 0)
    return lots[row], buyers[kept[row, column]], worth[row, column].astype(np.float64)
