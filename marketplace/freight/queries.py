"""What the rules of milk runs need from the reference tables."""

from datetime import date
from decimal import Decimal

from marketplace.core.money import payable
from marketplace.reference.queries import convert, driver_hours, parameter, truck_kinds

from .rules.distances import Roads
from .rules.trips import DAY, Hours, Vehicle

RATE = Decimal("0.0001")


def roads(on: date) -> Roads:
    """Return how ways by road are measured on a day."""
    return Roads(factor=parameter("ROAD_FACTOR", on), speed_kmh=parameter("TRUCK_SPEED", on))


def hours(country: str, on: date, *, leaves_from: int = 0, back_by: int = DAY) -> Hours:
    """Return what drivers of a country may work in a day.

    :param leaves_from: earliest departure, minutes since midnight
    :param back_by: latest return, minutes since midnight
    """
    rule = driver_hours(country, on)
    return Hours(
        leaves_from=leaves_from,
        back_by=back_by,
        shift_minutes=rule.shift_minutes,
        driving_minutes=rule.driving_minutes,
        break_after=rule.break_after,
        break_minutes=rule.break_minutes,
    )


def fleet(
    country: str,
    on: date,
    *,
    currency: str,
    number: int,
    has_lithium: bool = False,
    working: Hours | None = None,
) -> tuple[Vehicle, ...]:
    """Return the kinds of trucks that may be hired in a country, the smallest first, priced in a currency.

    :param number: trips that each kind can make
    :param has_lithium: with the surcharges for lithium, which is dangerous goods
    :param working: the hours of their drivers; None: those of the country
    :raises RateMissing: if the currency has no rate
    """
    share = parameter("TRUCK_LITHIUM_KM_SHARE", on) if has_lithium else Decimal(0)
    extra = parameter("TRUCK_LITHIUM_TRIP_USD", on) if has_lithium else Decimal(0)
    return tuple(
        Vehicle(
            name=kind.name,
            payload_kg=kind.payload_kg,
            volume_m3=kind.volume_m3,
            max_stops=kind.max_stops,
            fixed=payable(convert(kind.fixed_usd + extra, "USD", currency, on), currency),
            per_km=convert(kind.usd_per_km * (1 + share), "USD", currency, on).quantize(RATE),
            per_hour=convert(kind.usd_per_hour, "USD", currency, on).quantize(RATE),
            number=number,
            hours=working or hours(country, on),
        )
        for kind in truck_kinds()
    )
