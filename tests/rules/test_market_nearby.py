"""Rings around a point: no lot is missed, wherever on earth it lies."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from marketplace.core.quantities import great_circle_km
from marketplace.market.rules import nearby

latitudes = st.integers(-9000, 9000).map(lambda hundredths: hundredths / 100)
longitudes = st.integers(-18000, 18000).map(lambda hundredths: hundredths / 100)
places = st.tuples(latitudes, longitudes)
metres = st.integers(0, nearby.FARTHEST_M)


def holds(spans, place):
    latitude, longitude = place
    strip = nearby.strip_of(latitude)
    return any(span.strip == strip and span.west <= longitude <= span.east for span in spans)


@given(middle=places, place=places, slack=st.integers(0, 400_000), less=st.integers(0, 400_000))
def test_a_ring_holds_every_place_that_is_as_far_away(middle, place, slack, less):
    away = round(great_circle_km(middle, place) * 1000)

    spans = nearby.ring(*middle, max(0, away - less), away + slack)

    assert holds(spans, place)


@given(
    middle=places,
    north=st.integers(-60, 60),
    east=st.integers(-60, 60),
    less=st.integers(0, 3_000),
)
def test_a_small_ring_holds_its_neighbours(middle, north, east, less):
    latitude = max(-90.0, min(90.0, round(middle[0] + north / 100, 2)))
    longitude = round(middle[1] + east / 100, 2)
    longitude = (
        longitude - 360 if longitude > 180 else longitude + 360 if longitude < -180 else longitude
    )
    place = (latitude, longitude)
    away = round(great_circle_km(middle, place) * 1000)

    assert holds(nearby.ring(*middle, max(0, away - less), away + 100), place)


@given(middle=places, inner=metres, outer=metres)
def test_spans_lie_on_the_map_and_do_not_overlap(middle, inner, outer):
    spans = nearby.ring(*middle, min(inner, outer), max(inner, outer))

    assert all(-180 <= span.west <= span.east <= 180 for span in spans)
    by_strip = sorted((span.strip, span.west, span.east) for span in spans)
    for (strip, _west, east), (other, west, _east) in pairwise(by_strip):
        assert strip != other or east < west + 1e-4


def test_a_ring_far_away_leaves_its_middle_out():
    whole = nearby.ring(-6.2, 106.8, 0, 1_010_000)
    thin = nearby.ring(-6.2, 106.8, 1_000_000, 1_010_000)

    def width(spans):
        return sum(span.east - span.west for span in spans)

    assert width(thin) < 0.15 * width(whole)


@given(
    inner=metres,
    width=st.integers(1, 500_000),
    found=st.integers(0, 1000),
    wanted=st.integers(1, 500),
)
def test_the_next_ring_always_reaches_farther_until_the_end_of_the_earth(
    inner, width, found, wanted
):
    outer = min(inner + width, nearby.FARTHEST_M)

    reach = nearby.next_reach_m(inner, outer, found=found, wanted=wanted)

    assert reach == nearby.FARTHEST_M or reach > outer
