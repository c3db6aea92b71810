"""Who trades in the demo market. The companies are invented; their towns are real."""

from collections.abc import Iterator
from dataclasses import dataclass

PASSWORD = "spent-battery-demo"  # noqa: S105 - printed on purpose, for a market of play money
DOMAIN = "demo.example"


@dataclass(frozen=True, slots=True)
class Party:
    """An organisation of the demo market.

    ``handle`` is the part before the @ of its first member's address.
    """

    handle: str
    name: str
    role: str
    country: str
    city: str
    licence: str = ""  # the licence type that opens its trade
    annual_tonnes: int = 0
    second_member: bool = False
    materials: tuple[str, ...] = ()  # none: all that the licence covers
    phone: str = ""

    @property
    def email(self) -> str:
        return f"{self.handle}@{DOMAIN}"

    @property
    def address(self) -> str:
        """What they sign up with."""
        return self.phone or self.email


LITHIUM = ("LFP", "NMC111", "NMC532", "NMC622", "NMC811", "NCA", "LCO", "LMO", "LTO", "LI_UNKNOWN")

COLLECTORS = (
    Party("collector", "Aki Bekas Bekasi", "COLLECTOR", "ID", "Bekasi", second_member=True),
    Party("surya.motor", "Surya Motor Bengkel", "COLLECTOR", "ID", "Surabaya"),
    Party("pasar.loak", "Koperasi Pasar Loak Semarang", "COLLECTOR", "ID", "Semarang"),
    Party("hadapsar", "Hadapsar Scrap Cooperative", "COLLECTOR", "IN", "Pune", second_member=True),
    Party("nammascooter", "Namma Scooter Service Point", "COLLECTOR", "IN", "Bengaluru"),
    Party("howrah", "Howrah Battery Traders", "COLLECTOR", "IN", "Howrah"),
    Party("tondo", "Tondo Junkshop Association", "COLLECTOR", "PH", "Manila"),
    Party(
        "cebu.trike", "Cebu E-Trike Repair", "COLLECTOR", "PH", "Cebu City", phone="+639171234567"
    ),
    Party("cholon", "Ve Chai Cho Lon", "COLLECTOR", "VN", "Ho Chi Minh City"),
    Party("haiphong", "Hai Phong Ac Quy Cu", "COLLECTOR", "VN", "Haiphong"),
    Party("saleng", "Saleng Bangkok Noi", "COLLECTOR", "TH", "Bangkok"),
    Party("klang", "Klang Valley Auto Recyclers", "COLLECTOR", "MY", "Klang"),
    Party("jeju.ev", "Jeju EV Dismantlers", "COLLECTOR", "KR", "Jeju City"),
    Party("kawasaki", "Kawasaki Hybrid Parts", "COLLECTOR", "JP", "Kawasaki"),
)
RECYCLERS = (
    Party(
        "recycler", "Cikarang Metal Pulih", "RECYCLER", "ID", "Cikarang", "ID_PERTEK", 6000, True
    ),
    Party("gresik", "Gresik Hidro Logam", "RECYCLER", "ID", "Gresik", "ID_PERTEK", 9000),
    Party("bhiwadi", "Bhiwadi Lithium Recovery", "RECYCLER", "IN", "Bhiwadi", "IN_BWM_REG", 5000),
    Party("kolar", "Kolar Hydromet", "RECYCLER", "IN", "Kolar", "IN_BWM_REG", 8000),
    Party("bulacan", "Bulacan Battery Recovery", "RECYCLER", "PH", "Malolos", "PH_TSD", 4000),
    Party(
        "batangas",
        "Batangas Smelting Works",
        "RECYCLER",
        "PH",
        "Batangas",
        "PH_TSD",
        12000,
    ),
    Party("bienhoa", "Bien Hoa Tai Che Pin", "RECYCLER", "VN", "Bien Hoa", "VN_ENV_PERMIT", 5000),
    Party("bacninh", "Bac Ninh Kim Loai Xanh", "RECYCLER", "VN", "Bac Ninh", "VN_ENV_PERMIT", 7000),
    Party("rayong", "Rayong Cathode Recovery", "RECYCLER", "TH", "Rayong", "TH_RG4_106", 6000),
    Party(
        "saraburi",
        "Saraburi Lead Refining",
        "RECYCLER",
        "TH",
        "Saraburi",
        "TH_RG4_106",
        15000,
    ),
    Party("penang", "Penang Black Mass", "RECYCLER", "MY", "Butterworth", "MY_S18", 5000),
    Party(
        "pohang", "Pohang Cathode Materials", "RECYCLER", "KR", "Pohang", "KR_WASTE_TREAT", 10000
    ),
    Party(
        "kitakyushu", "Kitakyushu Resource Loop", "RECYCLER", "JP", "Kitakyushu", "JP_IW_DISP", 8000
    ),
)
INTEGRATORS = (
    Party(
        "integrator",
        "Bandung Baterai Kedua",
        "INTEGRATOR",
        "ID",
        "Bandung",
        "ID_PERTEK",
        900,
        materials=LITHIUM,
    ),
    Party(
        "chakan",
        "Chakan Second Life Systems",
        "INTEGRATOR",
        "IN",
        "Pune",
        "IN_BWM_REG",
        700,
        materials=LITHIUM,
    ),
    Party(
        "johor",
        "Johor Storage Works",
        "INTEGRATOR",
        "MY",
        "Johor Bahru",
        "MY_S18",
        600,
        materials=LITHIUM,
    ),
    Party(
        "naju",
        "Naju Reuse Energy",
        "INTEGRATOR",
        "KR",
        "Naju",
        "KR_KC_REUSE",
        800,
        materials=LITHIUM,
    ),
)
CARRIERS = (
    Party("carrier", "Jalur Aman B3", "CARRIER", "ID", "Jakarta", "ID_TRANS", 9000),
    Party("safeload", "SafeLoad Hazmat Movers", "CARRIER", "IN", "Mumbai", "IN_TRANS", 9000),
    Party("luzon", "Luzon Hazardous Haulage", "CARRIER", "PH", "Quezon City", "PH_TRANS", 5000),
    Party(
        "saigon.van",
        "Saigon Van Chuyen An Toan",
        "CARRIER",
        "VN",
        "Ho Chi Minh City",
        "VN_TRANS",
        5000,
    ),
    Party(
        "chaophraya",
        "Chao Phraya Transport",
        "CARRIER",
        "TH",
        "Mueang Nonthaburi",
        "TH_EMANIFEST",
        5000,
    ),
    Party(
        "selangor", "Selangor Scheduled Waste Lines", "CARRIER", "MY", "Shah Alam", "MY_TRANS", 4000
    ),
    Party("busan", "Busan Green Logistics", "CARRIER", "KR", "Busan", "KR_TRANS", 5000),
    Party("yokohama", "Yokohama Sanpai Unyu", "CARRIER", "JP", "Yokohama", "JP_IW_COLL", 5000),
)
OTHERS = (
    Party("verifier", "Voltbazaar Verification", "VERIFIER", "SG", "Singapore", second_member=True),
    Party("verifier2", "Lumen Assurance", "VERIFIER", "AU", "Melbourne"),
    Party("regulator", "Demo Environment Ministry", "REGULATOR", "ID", "Jakarta"),
    Party("producer", "Demo Scooter Makers", "PRODUCER", "ID", "Karawang"),
)

LATECOMERS = (
    Party("makassar", "Makassar Logam Timur", "RECYCLER", "ID", "Makassar", "ID_PERTEK", 3000),
    Party("chennai", "Chennai Cell Recovery", "RECYCLER", "IN", "Chennai", "IN_BWM_REG", 4000),
    Party("danang", "Da Nang Xu Ly Pin", "RECYCLER", "VN", "Da Nang", "VN_ENV_PERMIT", 2500),
)
TROUBLES = ("waits", "half", "question")
"""What becomes of each latecomer's licence, so that the verifiers have something to do."""


def everyone() -> Iterator[Party]:
    """Yield every organisation, in the order in which they join."""
    yield from (*OTHERS, *COLLECTORS, *RECYCLERS, *INTEGRATORS, *CARRIERS, *LATECOMERS)
