"""What the collectors bring in: real packs, in the numbers in which they pile up."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from random import Random

from marketplace.core.quantities import to_the_gram
from marketplace.reference.models import PackModel

TENTH = Decimal("0.1")  # what a yard's scale shows, in kg
ORIGINS = {
    "CAR": "CAR",
    "VAN": "CAR",
    "TWO_WHEELER": "SCOOTER",
    "THREE_WHEELER": "RICKSHAW",
    "BUS": "BUS",
    "HOME": "HOME",
    "TELECOM": "TELECOM",
    "PHONE": "DEVICE",
    "LAPTOP": "DEVICE",
    "TOOL": "TOOL",
    "STARTER": "STARTER",
}
# How many packs of a kind make one lot, and how often a collector has such a lot.
COUNTS = {
    "CAR": (1, 4),
    "TWO_WHEELER": (4, 40),
    "THREE_WHEELER": (3, 24),
    "BUS": (1, 2),
    "HOME": (2, 20),
    "TELECOM": (4, 30),
    "PHONE": (300, 3000),
    "LAPTOP": (60, 600),
    "TOOL": (40, 300),
    "STARTER": (8, 70),
}
OFTEN = {
    "CAR": 4,
    "TWO_WHEELER": 10,
    "THREE_WHEELER": 5,
    "BUS": 1,
    "HOME": 5,
    "TELECOM": 4,
    "PHONE": 5,
    "LAPTOP": 4,
    "TOOL": 3,
    "STARTER": 7,
}
# Packs that are met in one country only, as far as a demo cares.
AT_HOME = {
    "IN": {
        "Ather",
        "Ola",
        "TVS",
        "Hero Electric",
        "Mahindra",
        "Tata",
        "Piaggio",
        "Amaron",
        "Exide",
    },
    "ID": {"Volta", "Wuling", "GS"},
    "VN": {"VinFast", "Yadea"},
    "KR": {"Hyundai", "Kia"},
    "JP": {"Nissan", "Mitsubishi", "Toyota", "Honda", "Yuasa"},
    "MY": {"Century"},
}
SOLD_EVERYWHERE = {
    "Generic", "Samsung", "Apple", "Xiaomi", "Nokia", "Lenovo", "Dell", "HP", "Makita", "Bosch",
    "Huawei", "Yuasa", "Century", "GS", "BYD", "Pylontech", "Tesla", "Niu", "Gogoro", "MG", "Nissan",
    "Toyota", "LG", "Yadea",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pile:
    """One lot as it lies in the yard, before anybody described it."""

    pack: PackModel
    count: int
    mass_kg: Decimal
    energy_kwh: Decimal
    state_of_health: Decimal | None
    knows_chemistry: bool
    knows_energy: bool
    triage: str
    seed: int

    @property
    def origin(self) -> str:
        return ORIGINS[self.pack.kind]

    @property
    def note(self) -> str:
        return f"{self.count} × {self.pack.maker} {self.pack.model}"


def piles(packs: Sequence[PackModel], country: str, random: Random) -> Iterator[Pile]:
    """Yield the piles of one collector, without end.

    The mass is that of the real pack times the count, give or take a few per cent, as scales say it.
    """
    here = [
        pack
        for pack in packs
        if pack.maker in SOLD_EVERYWHERE or pack.maker in AT_HOME.get(country, set())
    ]
    kinds = Counter(_pile_of(pack) for pack in here)
    weights = [OFTEN[_pile_of(pack)] / kinds[_pile_of(pack)] for pack in here]
    while True:
        pack = random.choices(here, weights)[0]
        low, high = COUNTS[_pile_of(pack)]
        count = round(low * (high / low) ** random.random())
        mass = pack.mass_kg * count * Decimal(str(round(random.uniform(0.97, 1.03), 4)))
        measured = pack.chemistry.family == "LITHIUM" and random.random() < 0.3
        yield Pile(
            pack=pack,
            count=count,
            mass_kg=max(mass.quantize(TENTH), Decimal("0.5")),
            energy_kwh=to_the_gram(pack.energy_kwh * count),
            state_of_health=Decimal(str(round(random.uniform(0.48, 0.88), 3)))
            if measured
            else None,
            knows_chemistry=random.random() < 0.85,
            knows_energy=random.random() < 0.6,
            triage=random.choices(("GREEN", "AMBER", "RED"), (84, 12, 4))[0],
            seed=random.randrange(2**31),
        )


def _pile_of(pack: PackModel) -> str:
    """Return the kind whose piles a pack is found in: vans come back with the cars."""
    return "CAR" if pack.kind == PackModel.Kind.VAN else pack.kind
