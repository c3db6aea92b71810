"""Bids per second on one hot lot: over HTTP, and the same transaction in raw psycopg, in turns.

    python -m benchmarks.bids --clients 8 --seconds 6

in the database that DATABASE_URL names, at the site of SITE_URL or one that is started; or below a whole stack
(``python -m marketplace.ops.stack --var var/bench -- python -m benchmarks.bids``).

One JSON object on standard output: accepted bids a second over HTTP and raw, their ratio, and what the hot lot's table says
afterwards: ``gaps``: bids that were answered 201 and are not there; ``disorder``: bids whose price is below the one before;
``winners``: who wins when the auction is closed.

The yardstick is RELIABILITY 5.3: 0.15 of raw is typical, 0.30 good, 0.45 excellent.
"""

import argparse
import http.client
import json
import multiprocessing as mp
import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from decimal import Decimal
from itertools import pairwise
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg

START, STEP = 1_000_000, 1_000

# What place_bid sends for a bidder whose deposit is held already, statement by statement.
REPEAT = """
SELECT id, auction_id, bidder_id, placed_by_id, licence_id, maximum, price_after, leads, placed_at, request_id
  FROM market_bid WHERE bidder_id = %(bidder)s AND request_id = %(request)s LIMIT 1
"""
LOCK = """
SELECT a.*, l.*, o.* FROM market_auction a
  JOIN lots_lot l ON l.id = a.lot_id JOIN accounts_organisation o ON o.id = l.seller_id
 WHERE a.id = %(auction)s FOR NO KEY UPDATE OF a
"""
STATE = "SELECT status, closes_at, price, leader_id, bid_count FROM market_auction WHERE id = %(auction)s"
LICENCE = """
SELECT c.* FROM accounts_licence c JOIN accounts_organisation o ON o.id = c.organisation_id
 WHERE c.organisation_id = %(bidder)s AND o.status = 'ACTIVE' AND c.country = 'ID'
   AND c.acts @> '{BID}' AND c.status = 'VERIFIED' AND c.valid_from <= current_date
   AND c.valid_until >= current_date AND c.materials @> '{NMC532}'
   AND (c.annual_mass_kg IS NULL OR c.annual_mass_kg >= 112 + coalesce(
        (SELECT y.drawn_kg FROM accounts_licenceyear y WHERE y.licence_id = c.id
            AND y.year = extract(year FROM current_date) LIMIT 1), 0))
 ORDER BY c.id LIMIT 1
"""
DEPOSIT = (
    "SELECT 1 FROM market_deposit WHERE auction_id = %(auction)s AND bidder_id = %(bidder)s LIMIT 1"
)
BEST = "SELECT maximum FROM market_bid WHERE auction_id = %(auction)s ORDER BY maximum DESC, id LIMIT 1"
BID = """
INSERT INTO market_bid (auction_id, bidder_id, placed_by_id, licence_id, maximum, price_after, leads, placed_at, request_id)
VALUES (%(auction)s, %(bidder)s, %(user)s, %(licence)s, %(maximum)s, %(price)s, %(leads)s, %(now)s, %(request)s)
RETURNING id
"""
UPDATE = """
UPDATE market_auction SET price = %(price)s, leader_id = %(leader)s, bid_count = bid_count + 1, closes_at = closes_at
 WHERE id = %(auction)s
"""
ENTRY = """
INSERT INTO journal_entry (name, payload, actor, user_id, organisation_id, at, written_at)
VALUES ('market.BidPlaced', %(payload)s, 'benchmark', %(user)s, %(bidder)s, %(now)s, clock_timestamp()) RETURNING id
"""
JOB = """
INSERT INTO journal_job (kind, payload, state, run_after, attempts, max_attempts, token, last_error, created_at)
VALUES ('journal.react', %(payload)s, 'TODO', %(now)s, 0, 8, 0, '', %(now)s)
"""


def raw(who: dict, auction: int, counter, until: float, reactions: int) -> Counter:
    """Bid as fast as one connection can."""
    told: Counter = Counter()
    with psycopg.connect(os.environ["DATABASE_URL"]) as session:
        while time.time() < until:
            with counter.get_lock():
                counter.value += 1
                number = counter.value
            told[_one_raw(session, who, auction, START + 2 * STEP * number, reactions)] += 1
    return told


def _one_raw(session, who: dict, auction: int, maximum: int, reactions: int) -> str:
    given = {
        "auction": auction,
        "bidder": who["bidder"],
        "user": who["user"],
        "request": uuid4(),
        "maximum": maximum,
    }
    with session.transaction():
        run = session.execute
        run("SELECT pg_advisory_xact_lock(hashtextextended(%(request)s::text, 0))", given)
        run(REPEAT, given).fetchone()
        run(LOCK, given).fetchone()
        given["now"] = run("SELECT clock_timestamp()").fetchone()[0]
        status, closes_at, price, leader, _count = run(STATE, given).fetchone()
        if status != "OPEN" or given["now"] >= closes_at:
            return "closed"
        given["licence"] = run(LICENCE, given).fetchone()[0]
        best = run(BEST, given).fetchone()
        top = best[0] if best else None
        beaten = top if leader == who["bidder"] else price
        least = START if leader is None else beaten + STEP
        if maximum < least:
            return "too low"
        run(DEPOSIT, given).fetchone()
        if leader is None or leader == who["bidder"]:
            after, leads = price or Decimal(START), who["bidder"]
        elif maximum > top:
            after, leads = min(Decimal(maximum), top + STEP), who["bidder"]
        else:
            after, leads = min(top, Decimal(maximum + STEP)), leader
        given |= {"price": after, "leader": leads, "leads": leads == who["bidder"]}
        bid = run(BID, given).fetchone()[0]
        run(UPDATE, given)
        given["payload"] = json.dumps({"auction_id": auction, "bid_id": bid, "outbid_id": leader})
        run(ENTRY, given)
        for _reaction in range(reactions):
            run(JOB, given)
    return "taken"


def over_http(who: dict, auction: int, counter, until: float, _reactions: int) -> Counter:
    """Bid as fast as one client with one kept connection can."""
    told: Counter = Counter()
    site = urlsplit(os.environ["SITE_URL"])
    link = http.client.HTTPConnection("127.0.0.1", site.port, timeout=30)
    head = {"Authorization": f"Bearer {who['key']}", "Content-Type": "application/json"}
    head["Host"] = site.netloc
    while time.time() < until:
        with counter.get_lock():
            counter.value += 1
            number = counter.value
        body = {
            "maximum": str(START + 2 * STEP * number),
            "currency": "IDR",
            "request_id": str(uuid4()),
            "confirmed": True,
        }
        link.request("POST", f"/api/v1/auctions/{auction}/bids/", json.dumps(body), head)
        answer = link.getresponse()
        said = answer.read()
        if answer.status == 201:
            told["taken"] += 1
        elif answer.status == 409 and json.loads(said)["code"] == "bid_too_low":
            told["too low"] += 1
        else:
            told[f"{answer.status} {said[:80]!r}"] += 1
    return told


def _client(how, who, auction, counter, until, reactions, out) -> None:
    out.put(how(who, auction, counter, until, reactions))


def measure(
    how, people: list[dict], auction: int, reactions: int, seconds: float
) -> tuple[float, float, Counter]:
    """Return what was answered and what was taken per second, by clients that all bid at once."""
    counter, out = mp.Value("q", 0), mp.Queue()
    until = time.time() + seconds
    clients = [
        mp.Process(target=_client, args=(how, who, auction, counter, until, reactions, out))
        for who in people
    ]
    for client in clients:
        client.start()
    told = sum((out.get() for _client in clients), Counter())
    for client in clients:
        client.join()
    return told.total() / seconds, told["taken"] / seconds, told


def checked(auction, taken: int) -> dict[str, int]:
    """Close a hot auction and return what is wrong with its bids, and how many won."""
    from marketplace.market import services  # noqa: PLC0415
    from marketplace.market.models import Award, Bid  # noqa: PLC0415

    prices = list(
        Bid.objects.filter(auction=auction).order_by("pk").values_list("price_after", flat=True)
    )
    auction.refresh_from_db()
    services.close_auction(auction, clock=lambda: auction.closes_at)
    won = Award.objects.filter(auction=auction, status=Award.Status.WON)
    return {
        "gaps": taken - len(prices),
        "disorder": sum(after < before for before, after in pairwise(prices)),
        "winners": won.count(),
    }


@contextmanager
def site():
    """Use the site that SITE_URL names, or start one beside: the web server as it is deployed, and nothing else."""
    if "SITE_URL" in os.environ:
        yield
        return
    port = 8978
    os.environ["SITE_URL"] = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "marketplace.wsgi:application", "--preload", "--bind", f"127.0.0.1:{port}",
         "--worker-class", "gthread", "--workers", "2", "--threads", "4", "--log-level", "warning"],
        env=os.environ | {"JOB_BELL": "0", "DEBUG": "0"}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _try in range(150):
            try:
                http.client.HTTPConnection("127.0.0.1", port, timeout=5).request("GET", "/livez")
            except OSError:
                time.sleep(0.2)
            else:
                break
        yield
    finally:
        server.terminate()
        server.wait(20)


def main() -> None:
    with site():
        compare()


def compare() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bids")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    from django.db import connections  # noqa: PLC0415

    from benchmarks import cast  # noqa: PLC0415 — sets Django up, in this process only
    from marketplace.journal.services import switchboard  # noqa: PLC0415
    from marketplace.market import services  # noqa: PLC0415
    from marketplace.market.events import BidPlaced  # noqa: PLC0415

    cast.reference()
    seller = cast.member("COLLECTOR")
    people = []
    for _number in range(given.clients):
        actor, key = cast.bidder()
        people.append(
            {"bidder": actor.organisation_id, "user": actor.user_id, "key": key, "actor": actor}
        )
    reactions = len(switchboard().reactions[BidPlaced])
    rates: dict[str, list[tuple[float, float]]] = {"raw": [], "http": []}
    wrong: Counter = Counter()
    winners = set()
    for _round in range(given.rounds):
        for name, how in (("raw", raw), ("http", over_http)):
            auction = cast.hot_auction(seller)
            for who in people:  # so that every deposit is held: that happens once a bidder
                least = cast.START + 2 * cast.STEP * people.index(who)
                services.place_bid(
                    auction,
                    actor=who["actor"],
                    maximum=least,
                    currency="IDR",
                    request_id=uuid4(),
                    clock=cast.now,
                )
            connections.close_all()
            plain = [{k: v for k, v in who.items() if k != "actor"} for who in people]
            answered, taken, told = measure(how, plain, auction.pk, reactions, given.seconds)
            rates[name].append((answered, taken))
            print(
                f"{name:5} {answered:7.0f} answered/s  {taken:7.0f} taken/s  {dict(told)}",
                file=sys.stderr,
            )
            if name == "http":
                found = checked(auction, told["taken"] + len(people))
                winners.add(found.pop("winners"))
                wrong.update(found)
    middle = {
        (name, place): statistics.median(rate[place] for rate in rates[name])
        for name in ("raw", "http")
        for place in (0, 1)
    }
    report = {
        "clients": given.clients,
        "seconds": given.seconds,
        "rounds": given.rounds,
        "http_accepted_per_second": round(middle["http", 1], 1),
        "raw_accepted_per_second": round(middle["raw", 1], 1),
        "http_answered_per_second": round(middle["http", 0], 1),
        "raw_answered_per_second": round(middle["raw", 0], 1),
        "ratio": round(middle["http", 0] / middle["raw", 0], 3),
        "ratio_accepted": round(middle["http", 1] / middle["raw", 1], 3),
        "gaps": wrong["gaps"],
        "disorder": wrong["disorder"],
        "winners": max(winners),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
