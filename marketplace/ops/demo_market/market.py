"""The demo market: fifty organisations, three hundred lots and more, six weeks of trade, ending now."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

from marketplace.accounts import services as accounts
from marketplace.accounts.actors import actor_of
from marketplace.accounts.models import Licence, Organisation
from marketplace.deals import services as deals
from marketplace.deals.models import Deal
from marketplace.journal.models import Job, JobQuerySet
from marketplace.journal.services import run
from marketplace.lots.models import Lot
from marketplace.pricing import services as pricing
from marketplace.reference.models import PackModel

from . import cast, people, trade
from .calendar import Calendar, Process
from .fulfilment import fulfil, suspend_one
from .stock import piles
from .trade import Market

Say = Callable[[str], None]

WEEKS = 6
LATELY = timedelta(days=4)
FOUNDED_DAYS = 3  # the days in which everybody joins, before the first lot
BUYER_USD = Decimal(900_000)
CARRIER_USD = Decimal(5_000)


def create(*, seed: int, until: datetime, lots: int, say: Say) -> Market:
    """Let the market live from six weeks before ``until`` up to then. All of it through the rooms' services."""
    random = Random(seed)  # noqa: S311 - play, not secrets
    start = (until - timedelta(weeks=WEEKS)).replace(second=0, microsecond=0)
    calendar = Calendar(start)
    staff = people.person(f"staff@{cast.DOMAIN}", "Market staff", staff=True)
    it = Market(calendar, random, until, actor_of(staff))
    say("  people, licences and rate cards")
    machines = Machines(it)
    everybody_joins(it)
    calendar.run(start + timedelta(days=FOUNDED_DAYS), before_each=machines)
    say(f"  {len(it.traders)} organisations trade")
    packs = list(PackModel.objects.select_related("chemistry").order_by("pk"))
    for at, process in sellers(it, packs, lots):
        calendar.start(process, at)
    calendar.start(every_day(it), calendar.now + timedelta(hours=12))
    calendar.start(suspend_one(it), calendar.now + timedelta(weeks=2))
    day = calendar.now
    while day < until:
        day = min(day + timedelta(days=7), until)
        calendar.run(day, before_each=machines)
        say(f"  up to {day:%d %B}: {_so_far()}")
    machines.finish()
    return it


def everybody_joins(it: Market) -> None:
    """Found verifiers and regulators first: they check everybody else's licence."""
    for party in cast.OTHERS:
        if party.role in ("VERIFIER", "REGULATOR"):
            trader = people.found_by_staff(party, staff=it.staff, random=it.random, now=it.now)
        else:
            trader = people.join(party, random=it.random, now=it.now)
        _enter(it, trader)
    for party in (*cast.COLLECTORS, *cast.RECYCLERS, *cast.INTEGRATORS, *cast.CARRIERS):
        it.calendar.start(settle_in(it, party), it.now + it.hours(0.5, 20))
    for number, party in enumerate(cast.LATECOMERS):
        it.calendar.start(
            settle_in(it, party, trouble=cast.TROUBLES[number]), it.until - it.hours(2, 40)
        )


def settle_in(it: Market, party: cast.Party, *, trouble: str = "") -> Process:
    """Join, show a licence if the trade needs one, have it checked twice, and put money in."""
    trader = people.join(party, random=it.random, now=it.now)
    _enter(it, trader)
    yield it.minutes(6, 60)
    if party.second_member:
        people.hire(trader, now=it.now)
    if party.role == "COLLECTOR":
        if not party.phone:
            tier = Organisation.Tier.IDENTIFIED
            verifier = it.by_role("VERIFIER")[0].actor
            accounts.set_tier(trader.organisation, actor=verifier, tier=tier, now=it.now)
        return
    licence = people.apply(trader, random=it.random, now=it.now)
    yield it.hours(1, 9)
    first, second = it.by_role("VERIFIER")
    if trouble == "waits":
        return
    if trouble:
        yield from in_trouble(it, trader, licence, trouble)
        return
    people.check(licence, verifier=first, now=it.now)
    yield it.hours(1, 9)
    licence = people.check(licence, verifier=second, now=it.now)
    yield it.minutes(10, 90)
    if party.role == "CARRIER":
        people.fund(trader, CARRIER_USD, random=it.random, now=it.now)
        people.offer_transport(trader, licence, random=it.random, now=it.now)
    else:
        people.fund(trader, BUYER_USD, random=it.random, now=it.now)


def in_trouble(it: Market, trader: people.Trader, licence: Licence, trouble: str) -> Process:
    """Some licences are not simply approved: the verifiers' queue shows every case."""
    first = it.by_role("VERIFIER")[0]
    if trouble == "half":
        people.check(licence, verifier=first, now=it.now)
        return
    accounts.claim_licence(licence, actor=first.actor, now=it.now)
    if trouble == "question":
        reason = "The second page is missing. Please scan it too."
        accounts.ask_for_info(licence, actor=first.actor, reason=reason, now=it.now)
    else:
        reason = "The number on the scan belongs to another company."
        accounts.refuse_licence(licence, actor=first.actor, reason=reason, now=it.now)
    yield timedelta()


def sellers(it: Market, packs: list[PackModel], wanted: int) -> list[tuple[datetime, Process]]:
    """Return who begins to sell what when. Most of it lately, so that the market is alive now."""
    first = it.calendar.now
    span = it.until - first
    sources = {party.handle: piles(packs, party.country, it.random) for party in cast.COLLECTORS}
    by_handle = {trader.party.handle: trader for trader in it.traders.values()}
    begun = []
    for number in range(wanted):
        party = it.random.choice(cast.COLLECTORS)
        pile = next(sources[party.handle])
        if party.phone:  # lists little, within what a phone number allows
            while pile.mass_kg > 60:
                pile = next(sources[party.handle])
        if (
            number % 4 == 0
        ):  # a quarter over all the weeks, for a past; the rest lately, for a present
            at = first + span * it.random.random()
        else:
            at = it.until - LATELY * it.random.random()
        begun.append((at, trade.sell(it, by_handle[party.handle], pile)))
    return begun


def every_day(it: Market) -> Process:
    """Do what the schedules do: what nobody answered in time is decided by its contract; the price index is published."""
    published = None
    while True:
        deals.expire_overdue(now=it.now)
        yesterday = (it.now - timedelta(days=1)).date()
        if yesterday != published:
            pricing.publish_index(on=yesterday, now=it.now)
            published = yesterday
        yield timedelta(hours=6)


class Machines:
    """What a worker does between two acts of people, by the pretend clock; and who takes up new deals.

    Jobs that read the real clock are left: people here ask the services for their work at the pretend time.
    """

    EVERY = timedelta(minutes=10)  # people take longer than that before they look again
    LATER = ("certificates.issue", "freight.gather_quotes")
    FOR_THE_WORKER = ("logistics.render_documents", "lots.read_codes")

    def __init__(self, it: Market) -> None:
        self._it = it
        self._last_deal = 0
        self._last_run = it.now

    def __call__(self) -> None:
        if self._it.now < self._last_run + self.EVERY:
            return
        self._last_run = self._it.now
        self._run(Job.objects.exclude(kind__in=[*self.LATER, *self.FOR_THE_WORKER]))
        for deal in Deal.objects.filter(pk__gt=self._last_deal).order_by("pk"):
            self._it.calendar.start(fulfil(self._it, deal))
            self._last_deal = deal.pk

    def finish(self) -> None:
        """Do what is left, and end the jobs whose work has been done meanwhile. Papers and photos are left to the worker,
        which prints the ones and looks for codes in the others.
        """
        self._run(Job.objects.exclude(kind__in=self.FOR_THE_WORKER))

    def _run(self, jobs: JobQuerySet) -> None:
        clock = self._it.calendar.clock
        while due := list(
            jobs.due(clock()).order_by("run_after", "pk").values_list("pk", flat=True)
        ):
            for job_id in due:
                run(job_id, clock=clock)


def _enter(it: Market, trader: people.Trader) -> None:
    it.traders[trader.organisation.pk] = trader


def _so_far() -> str:
    return f"{Lot.objects.count()} lots"
