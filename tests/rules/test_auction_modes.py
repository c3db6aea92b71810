"""Every kind of auction against a simple model, bid by bid; the fall of a Dutch price; the parts of a key; envelopes."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import combinations, pairwise
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from marketplace.market import rules
from marketplace.market.rules import Offer, Terms, dutch, envelopes, shamir

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
amounts = st.integers(1, 400).map(Decimal)
bidders = st.integers(1, 5)


class Rising(RuleBasedStateMachine):
    """An open auction as people would play it with paper: everybody's highest word, and a price that is worked out anew."""

    mode = "OPEN"

    @initialize(start=st.integers(50, 150), more=st.integers(0, 100), step=st.integers(1, 20))
    def begin(self, start, more, step):
        self.terms = self.terms_of(start, more, step)
        self.offers, self.now, self.prices, self.owed = [], None, [], {}

    def terms_of(self, start, more, step):
        return Terms(Decimal(start), Decimal(start + more), Decimal(step))

    def better(self, one, other):
        return one > other

    def toward(self, amount, step):
        return amount + step

    def capped(self, price, bound):
        return min(price, bound)

    @rule(bidder=bidders, amount=amounts)
    def bid(self, bidder, amount):
        least = rules.least_accepted(self.mode, self.now, bidder, self.terms)
        if not rules.is_good_enough(self.mode, amount, least):
            return
        before, self.now = (
            self.now,
            rules.standing_in(self.mode, self.now, Offer(bidder, amount), self.terms),
        )
        self.offers.append(Offer(bidder, amount))
        self.prices.append(self.now.price)
        if before and before.bidder == bidder == self.now.bidder:
            met = not self.better(self.terms.reserve, self.now.maximum)
            was_met = not self.better(self.terms.reserve, before.maximum)
            assert self.now.price == before.price or (met and not was_met)

    @invariant()
    def the_best_word_leads_and_of_equal_ones_the_first(self):
        if not getattr(self, "offers", None):
            return
        best = self.offers[0]
        for offer in self.offers[1:]:
            if self.better(offer.maximum, best.maximum):
                best = offer
        assert (self.now.bidder, self.now.maximum) == (best.bidder, best.maximum)

    @invariant()
    def the_price_is_at_most_one_step_past_the_next_word_but_for_the_reserve(self):
        if not getattr(self, "offers", None):
            return
        others = [o.maximum for o in self.offers if o.bidder != self.now.bidder]
        allowed = [self.terms.starting_price, self.terms.reserve]
        allowed += [self.toward(maximum, self.terms.step) for maximum in others]
        furthest = allowed[0]
        for amount in allowed[1:]:
            furthest = amount if self.better(amount, furthest) else furthest
        assert not self.better(self.now.price, furthest)
        assert not self.better(self.now.price, self.now.maximum)

    @invariant()
    def the_price_only_moves_one_way(self):
        prices = getattr(self, "prices", [])
        assert not any(self.better(before, after) for before, after in pairwise(prices))

    @precondition(lambda self: self.offers)
    @rule()
    def close(self):
        rungs = rules.result(self.mode, self.offers, self.terms)
        meets = not self.better(self.terms.reserve, self.now.maximum)
        assert bool(rungs) == meets
        if rungs:
            assert (rungs[0].bidder, rungs[0].price) == (self.now.bidder, self.now.price)
        assert len({rung.bidder for rung in rungs}) == len(rungs) <= 4
        for rung in rungs:
            assert not self.better(rung.price, rung.maximum)
            left = [
                o
                for o in self.offers
                if o.bidder not in {r.bidder for r in rungs[: rungs.index(rung)]}
            ]
            alone = rules.standing_of_all(self.mode, left, self.terms)
            assert (alone.bidder, alone.price) == (rung.bidder, rung.price)


class Reverse(Rising):
    """The same in the mirror: who asks least takes the lot, and the seller pays."""

    mode = "REVERSE"

    def terms_of(self, start, more, step):
        return Terms(Decimal(start + 150 + more), Decimal(start + 150), Decimal(step))

    def better(self, one, other):
        return one < other

    def toward(self, amount, step):
        return amount - step

    def capped(self, price, bound):
        return max(price, bound)


class Sealed(RuleBasedStateMachine):
    """Envelopes on a table: opened, sorted, read out."""

    mode = "SEALED"

    @initialize(start=st.integers(1, 150), more=st.integers(0, 100))
    def begin(self, start, more):
        self.terms = Terms(Decimal(start), Decimal(start + more), Decimal(1))
        self.offers = []

    @rule(bidder=bidders, amount=amounts)
    def bid(self, bidder, amount):
        if amount >= self.terms.starting_price:
            self.offers.append(Offer(bidder, amount))

    @rule()
    def close(self):
        rungs = rules.result(self.mode, self.offers, self.terms)
        best = {}
        for offer in self.offers:
            best[offer.bidder] = max(best.get(offer.bidder, Decimal(0)), offer.maximum)
        good = sorted((a for a in best.values() if a >= self.terms.reserve), reverse=True)[:4]
        assert [rung.maximum for rung in rungs] == good
        everything = sorted(best.values(), reverse=True)
        for place, rung in enumerate(rungs):
            assert rung.maximum == best[rung.bidder]
            assert rung.price == self.price_of(rung, everything[place + 1 :])

    def price_of(self, rung, below):
        return rung.maximum


class SecondPrice(Sealed):
    mode = "SECOND_PRICE"

    def price_of(self, rung, below):
        return max([*below, self.terms.reserve][0], self.terms.reserve)


class Falling(RuleBasedStateMachine):
    """A Dutch auction at a table: a clock, one hand that goes up, envelopes, one last word."""

    @initialize(
        top=st.integers(60, 300),
        floor=st.integers(1, 50),
        steps=st.integers(1, 99),
        step=st.integers(1, 9),
    )
    def begin(self, top, floor, steps, step):
        self.fall = dutch.Fall(
            Decimal(top), Decimal(floor), steps, NOON, NOON + timedelta(hours=2), Decimal("0.01")
        )
        self.terms = Terms(Decimal(top), Decimal(floor), Decimal(step))
        self.at, self.taken, self.sealed, self.opened, self.best = NOON, None, [], False, None

    def stage(self):
        until = self.taken[2] + dutch.SEALED_TIME if self.taken else None
        return dutch.stage_at(
            self.at,
            fall_ends_at=self.fall.ends,
            taken=self.taken is not None,
            sealed_until=until,
            opened=self.opened,
            closes_at=until + dutch.BEST_TIME if until else self.fall.ends,
        )

    @rule(seconds=st.integers(1, 1200))
    def wait(self, seconds):
        before = dutch.price_at(self.fall, self.at)
        self.at += timedelta(seconds=seconds)
        assert self.fall.floor <= dutch.price_at(self.fall, self.at) <= before

    @rule(bidder=bidders)
    def take(self, bidder):
        if self.stage() is dutch.Stage.FALLING:
            self.taken = bidder, dutch.price_at(self.fall, self.at), self.at
            assert self.stage() is dutch.Stage.SEALED

    @rule(bidder=bidders, amount=amounts)
    def seal(self, bidder, amount):
        if self.stage() is not dutch.Stage.SEALED or bidder == self.taken[0]:
            return
        if amount >= dutch.least_sealed(self.taken[1], self.terms.step):
            self.sealed.append(Offer(bidder, amount))

    @rule(amount=amounts)
    def speak_last(self, amount):
        if self.stage() is not dutch.Stage.BEST:
            return
        self.opened = True
        highest = max((o.maximum for o in self.sealed), default=None)
        if highest is not None and amount >= dutch.least_best(
            highest, self.taken[1], self.terms.step
        ):
            self.best = Offer(self.taken[0], amount)

    @invariant()
    def the_best_amount_wins_and_pays_itself(self):
        if getattr(self, "taken", None) is None:
            return
        offers = [Offer(self.taken[0], self.taken[1]), *self.sealed]
        offers += [self.best] if self.best else []
        rungs = rules.result("DUTCH", offers, self.terms)
        assert rungs[0].price == rungs[0].maximum == max(o.maximum for o in offers)
        if self.best or not self.sealed:
            assert rungs[0].bidder == self.taken[0]


few = settings(max_examples=60, stateful_step_count=20, deadline=None)
TestRising, TestReverse = Rising.TestCase, Reverse.TestCase
TestSealed, TestSecondPrice, TestFalling = Sealed.TestCase, SecondPrice.TestCase, Falling.TestCase
for case in (TestRising, TestReverse, TestSealed, TestSecondPrice, TestFalling):
    case.settings = few


@given(st.lists(st.builds(Offer, bidders, amounts), min_size=1, max_size=20), amounts)
def test_in_a_second_price_auction_the_winners_bid_does_not_move_their_price(offers, more):
    terms = Terms(Decimal(1), Decimal(1), Decimal(1))
    winner = rules.result("SECOND_PRICE", offers, terms)[0]

    raised = [*offers, Offer(winner.bidder, winner.maximum + more)]

    assert rules.result("SECOND_PRICE", raised, terms)[0].price == winner.price


@given(amounts, amounts)
def test_a_finger_slips_upwards_where_buyers_pay_and_downwards_where_the_seller_does(one, other):
    assert rules.is_far_off("REVERSE", one, other) == rules.is_far_off("OPEN", other, one)


# --- the fall of a price ----------------------------------------------------------------------------------


@given(st.integers(1, 99), st.integers(100, 10**6), st.integers(1, 99), st.integers(0, 7200))
def test_a_falling_price_begins_at_the_top_and_ends_at_the_floor(steps, top, floor, second):
    fall = dutch.Fall(
        Decimal(top), Decimal(floor), steps, NOON, NOON + timedelta(hours=2), Decimal(1)
    )
    at = NOON + timedelta(seconds=second)

    assert dutch.price_at(fall, NOON - timedelta(days=1)) == dutch.price_at(fall, NOON) == top
    assert dutch.price_at(fall, fall.ends) == floor
    assert floor <= dutch.price_at(fall, at) <= top
    following = dutch.next_step_at(fall, at)
    if following is not None:
        assert following > at
        assert dutch.place_at(fall, following) == dutch.place_at(fall, at) + 1
        moment_before = following - timedelta(microseconds=2)
        assert dutch.place_at(fall, moment_before) == dutch.place_at(fall, at)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"steps": 0}, "steps"),
        ({"steps": 100}, "steps"),
        ({"floor": Decimal(100)}, "floor"),
        ({"floor": Decimal(0)}, "floor"),
        ({"ends": NOON + timedelta(seconds=99)}, "pace"),
        ({"top": Decimal(55)}, "unit"),
        ({}, None),
    ],
)
def test_a_fall_that_nobody_could_follow_is_refused(change, said):
    usual = {
        "top": Decimal(100),
        "floor": Decimal(50),
        "steps": 10,
        "begins": NOON,
        "ends": NOON + timedelta(hours=1),
        "unit": Decimal(1),
    }

    assert dutch.refuse_fall(dutch.Fall(**usual | change)) == said


# --- a key in parts ---------------------------------------------------------------------------------------


def noise(seed, many):
    return [random.Random(seed + n).randbytes(shamir.COEFFICIENT_BYTES) for n in range(many)]


@given(st.binary(min_size=1, max_size=64), st.integers(1, 5), st.integers(0, 3), st.integers(0, 99))
def test_any_so_many_parts_give_the_secret_back(secret, needed, more, seed):
    shares = shamir.split(secret, needed=needed, parts=needed + more, noise=noise(seed, needed - 1))

    for chosen in combinations(shares, needed):
        assert shamir.join(chosen, needed=needed) == secret
    assert shamir.join(reversed(shares), needed=needed) == secret


@given(st.binary(min_size=32, max_size=32), st.integers(2, 5), st.integers(0, 99))
def test_one_part_less_fits_every_secret_equally_well(secret, needed, seed):
    """Whatever secret somebody claims, a polynomial through it and the parts that are known exists: the parts say nothing."""
    shares = shamir.split(secret, needed=needed, parts=needed, noise=noise(seed, needed - 1))
    known, other = shares[1:], bytes(32)

    with pytest.raises(ValueError, match="Too few"):
        shamir.join(known, needed=needed)
    claimed = shamir.Share(0, int.from_bytes(b"\1" + other, "big"))
    missing = _through([claimed, *known], shares[0].place)

    assert shamir.join([shamir.Share(shares[0].place, missing), *known], needed=needed) == other


def _through(points, place):
    value = 0
    for point in points:
        above = below = 1
        for other in points:
            if other is not point:
                above = above * (place - other.place) % shamir.PRIME
                below = below * (point.place - other.place) % shamir.PRIME
        value = (value + point.value * above * pow(below, -1, shamir.PRIME)) % shamir.PRIME
    return value


def test_parts_that_do_not_belong_together_are_told_so():
    one = shamir.split(b"a" * 32, needed=2, parts=3, noise=noise(1, 1))
    other = shamir.split(b"b" * 32, needed=2, parts=3, noise=noise(2, 1))

    with pytest.raises(ValueError, match="belong together"):
        shamir.join([one[0], other[1]], needed=2)
    with pytest.raises(ValueError, match="same place"):
        shamir.join([one[0], other[0]], needed=2)
    assert str(one[0].value) not in repr(one[0])


@pytest.mark.parametrize(
    ("secret", "needed", "parts", "many"),
    [
        (b"", 2, 3, 1),
        (b"x" * 65, 2, 3, 1),
        (b"x", 4, 3, 3),
        (b"x", 0, 3, 0),
        (b"x", 2, 300, 1),
        (b"x", 2, 3, 0),
    ],
)
def test_a_split_that_makes_no_sense_is_refused(secret, needed, parts, many):
    with pytest.raises(ValueError, match=r"between|bytes|noise"):
        shamir.split(secret, needed=needed, parts=parts, noise=noise(0, many))


# --- envelopes --------------------------------------------------------------------------------------------

SECRET = bytes(range(32))
CONTENT = {"maximum": "1500000.00", "nonce": "ab" * 32}


def closed(content=CONTENT, *, context=b"here", fresh=b"\7" * 32):
    return envelopes.close(content, key=envelopes.public_key(SECRET), context=context, fresh=fresh)


def test_an_envelope_opens_with_its_key_in_its_place():
    assert envelopes.open_with(SECRET, closed(), context=b"here") == CONTENT


@given(st.integers(0, 4000), st.integers(0, 7))
def test_an_envelope_that_was_touched_does_not_open(where, bit):
    spoiled = bytearray(closed())
    spoiled[where % len(spoiled)] ^= 1 << bit

    with pytest.raises(envelopes.EnvelopeSpoiled):
        envelopes.open_with(SECRET, bytes(spoiled), context=b"here")


def test_an_envelope_opens_neither_elsewhere_nor_with_another_key():
    for secret, envelope, context in (
        (SECRET, closed(), b"there"),
        (b"\1" * 32, closed(), b"here"),
        (SECRET, b"short", b"here"),
        (SECRET, b"", b"here"),
    ):
        with pytest.raises(envelopes.EnvelopeSpoiled):
            envelopes.open_with(secret, envelope, context=context)


@given(st.decimals("0.01", "999999999999.99", places=2))
def test_all_envelopes_of_amounts_are_equally_long_and_no_two_alike(amount):
    fresh = [bytes([n]) * 32 for n in (1, 2)]
    one, other = (closed({"maximum": str(amount), "nonce": "0"}, fresh=each) for each in fresh)

    assert len(one) == len(other) == len(closed())
    assert one != other
    assert str(amount).encode() not in one


def test_a_commitment_binds_to_what_is_inside_and_needs_a_nonce():
    other = CONTENT | {"maximum": "1500000.01"}

    assert envelopes.commitment(CONTENT) != envelopes.commitment(other)
    with pytest.raises(ValueError, match="nonce"):
        envelopes.commitment({"maximum": "1"})


def test_what_is_kept_of_a_request_does_not_give_the_nonce_away():
    request_id = uuid4()
    kept, nonce = envelopes.kept_id(7, request_id), envelopes.nonce_of(7, request_id)

    assert isinstance(kept, UUID)
    assert kept != request_id
    assert kept == envelopes.kept_id(7, request_id) != envelopes.kept_id(8, request_id)
    assert nonce not in kept.hex
    assert nonce != envelopes.nonce_of(7, kept)
    assert envelopes.echo_key(7, request_id).hex() not in (nonce, kept.hex)
