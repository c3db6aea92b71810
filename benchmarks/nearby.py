"""Lots near me with three filters, in a market of a million lots: the first page, and pages far down.

    python -m benchmarks.nearby --lots 1000000

One JSON object on standard output; times in milliseconds. A fifth of the lots is open for bids. The rows are made by bulk
SQL in a database of the benchmark's own, beside the one that DATABASE_URL names, around real cities by their population;
it is dropped at the end (``--keep`` leaves it for the next run). "sql" is the product's query function, from Python to
PostgreSQL and back; "http" is the page that buyers use, over a real server of one worker.
"""

import argparse
import http.client
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

import django
import psycopg

COUNTRIES = ("ID", "IN", "KR", "PH", "VN", "TH", "NG", "KE")
PORT = 8979

LOTS = """
INSERT INTO lots_lot (id, seller_id, created_by_id, request_id, status, origin, chemistry_id, chemistry_answered, mass_kg,
    mass_is_estimated, state_of_health, country, place, latitude, longitude, triage, triage_answers, declared_at,
    declared_by_id, note, question, evidence_version, created_at, submitted_at)
SELECT n, %(seller)s, %(user)s, gen_random_uuid(), CASE WHEN n %% 5 = 0 THEN 'OPEN' ELSE 'CERTIFIED' END,
       (ARRAY['SCOOTER','RICKSHAW','CAR','STARTER','HOME','TELECOM','DEVICE'])[1 + floor(power(random(), 2) * 7)::int],
       kinds.codes[1 + floor(power(random(), 1.5) * cardinality(kinds.codes))::int], true,
       round((2 * power(400, random()))::numeric, 3), random() < 0.4,
       CASE WHEN random() < 0.6 THEN round((0.4 + 0.6 * random())::numeric, 3) END, c.country, c.name,
       greatest(-89, least(89, round((c.latitude + (random() + random() - 1) * 0.4)::numeric, 2))),
       greatest(-179, least(179, round((c.longitude + (random() + random() - 1) * 0.4)::numeric, 2))),
       'GREEN', '{}', now() - random() * interval '90 days', %(user)s, '', '', 1, now() - interval '91 days',
       now() - interval '90 days'
  FROM (SELECT n, random() AS dice FROM generate_series(%(first)s, %(last)s) AS n OFFSET 0) AS rows
  JOIN city c ON dice >= c.low AND dice < c.high
  CROSS JOIN (SELECT array_agg(code ORDER BY code) AS codes FROM reference_chemistry) AS kinds
"""
AUCTIONS = """
INSERT INTO market_auction (id, lot_id, attempt, mode, currency, starting_price, reserve, step, deposit, opens_at, closes_at,
    planned_close_at, last_close_at, overtime_seconds, terms_sha256, status, price, leader_id, bid_count, created_by_id,
    request_id, closed_at)
SELECT l.id, l.id, 1, CASE WHEN random() < 0.3 THEN 'SEALED' ELSE 'OPEN' END, 'IDR', p.price, p.price, 1000, 0,
       now() - interval '1 day', e.ends, e.ends, e.ends + interval '1 hour', 300, repeat('0', 64),
       CASE WHEN l.status = 'OPEN' THEN 'OPEN' ELSE 'UNSOLD' END, NULL, NULL, 0, l.created_by_id, gen_random_uuid(),
       CASE WHEN l.status = 'OPEN' THEN NULL ELSE now() END
  FROM lots_lot l
  CROSS JOIN LATERAL (SELECT round(l.mass_kg * (500 + 90000 * random()::numeric), 0) AS price) AS p
  CROSS JOIN LATERAL (SELECT now() + interval '1 day' + random() * interval '6 days' AS ends) AS e
 WHERE l.id BETWEEN %(first)s AND %(last)s
"""
LISTINGS = """
INSERT INTO market_listing (auction_id, lot_id, mode, kind, chemistry, origin, country, place, mass_kg, health, route,
    usd_per_kg, strip, north, east, closes_at)
SELECT a.id, l.id, a.mode, c.letters, c.code, l.origin, l.country, l.place, l.mass_kg, l.state_of_health,
       CASE WHEN random() < 0.1 THEN 'REUSE' WHEN random() < 0.3 THEN 'REPURPOSE' ELSE 'RECYCLE' END,
       round(a.starting_price / 16000 / l.mass_kg, 4), floor(l.latitude / 0.25), l.latitude * 100, l.longitude * 100, a.closes_at
  FROM market_auction a JOIN lots_lot l ON l.id = a.lot_id JOIN reference_chemistry c ON c.code = l.chemistry_id
 WHERE a.status = 'OPEN'
"""


def own_database(url: str) -> tuple[str, str]:
    """Return the address of the benchmark's own database, and its name."""
    parts = urlsplit(url)
    name = f"{parts.path.lstrip('/')}_nearby"
    return urlunsplit(parts._replace(path=f"/{name}")), name


def made(lots: int, url: str, name: str, server: str) -> None:
    """Make the database and its rows, unless a run before left as many."""
    with psycopg.connect(server, autocommit=True) as session:
        known = session.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
        if known is None:
            session.execute(f'CREATE DATABASE "{name}"')
    _django(url, "migrate", "--verbosity=0")
    with psycopg.connect(url, autocommit=True) as session:
        if session.execute("SELECT count(*) FROM lots_lot").fetchone() == (lots,):
            return
    _django(url, "load_reference", "--verbosity=0")
    with psycopg.connect(url, autocommit=True) as session:
        run = session.execute
        run("SET session_replication_role = replica")  # no trigger looks at what is not a market
        run("TRUNCATE lots_lot, market_auction, market_listing, accounts_user CASCADE")
        user = run(
            "INSERT INTO accounts_user (password, is_superuser, email, name, language, is_staff, is_active, date_joined)"
            " VALUES ('', false, 'nobody@example.org', 'Nobody', 'en', false, true, now()) RETURNING id"
        ).fetchone()
        seller = run(
            'INSERT INTO accounts_organisation (name, country, currency, tier, status, "group", tax_number, place, created_at)'
            " VALUES ('Seller', 'ID', 'IDR', 3, 'ACTIVE', '', '', '', now()) RETURNING id"
        ).fetchone()
        run(
            "CREATE TEMP TABLE city (name text, country text, latitude float8, longitude float8, low float8, high float8)"
        )
        total, low = sum(city.population for city in _towns()), 0
        with session.cursor().copy("COPY city FROM STDIN") as copy:
            for city in _towns():
                high = low + city.population
                copy.write_row(
                    (city.name[:120], city.country, *city.position, low / total, high / total)
                )
                low = high
        run("CREATE INDEX ON city (low, high)")
        run("ANALYZE city")
        indexes = run(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename IN ('lots_lot', 'market_auction', 'market_listing')"
            " AND indexdef NOT LIKE '%UNIQUE%'"
        ).fetchall()
        for index, _definition in indexes:
            run(f'DROP INDEX "{index}"')
        for first in range(1, lots + 1, 50_000):
            bounds = {"first": first, "last": min(first + 49_999, lots)}
            run(LOTS, bounds | {"seller": seller[0], "user": user[0]})
            run(AUCTIONS, bounds)
            print(bounds["last"], "lots", file=sys.stderr)
        run(LISTINGS)
        for _index, definition in indexes:
            run(definition)
        run("VACUUM ANALYZE lots_lot, market_auction, market_listing")


def _towns() -> list[Any]:
    from marketplace.reference.queries import cities  # noqa: PLC0415 — Django is set up by now

    return [city for country in COUNTRIES for city in cities(country)]


def _django(url: str, *words: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "django", *words], check=True, env=os.environ | {"DATABASE_URL": url}
    )


def asked(chance: random.Random) -> Iterator[dict[str, str]]:
    """Yield what buyers near real cities ask for, as the address of the page says it: three filters each."""
    towns = _towns()
    weights = [city.population for city in towns]
    from marketplace.reference.models import Chemistry  # noqa: PLC0415

    kinds = sorted(set(Chemistry.objects.values_list("letters", flat=True)))
    while True:
        city = chance.choices(towns, weights)[0]
        kg = round(2 * 400 ** chance.uniform(0, 0.8))
        others = chance.sample(
            (
                {"kg_from": str(kg), "kg_to": str(kg * 4)},
                {"health_from": str(chance.randint(50, 80))},
                {"route": chance.choice(("REUSE", "REPURPOSE", "RECYCLE"))},
                {"price_to": str(chance.randint(1, 5))},
                {"origin": chance.choice(("SCOOTER", "CAR", "HOME"))},
            ),
            2,
        )
        yield {"near": str(city.geoname_id), "sort": "near", "chemistry": chance.choice(kinds)} | {
            name: value for other in others for name, value in other.items()
        }


def timed(times: list[float], work: Callable[[], Any]) -> Any:
    began = time.perf_counter()
    result = work()
    times.append(1000 * (time.perf_counter() - began))
    return result


def marks(times: list[float]) -> dict[str, float | int]:
    ordered = sorted(times)
    return {
        "p50": round(ordered[len(ordered) // 2], 2),
        "p95": round(ordered[int(0.95 * (len(ordered) - 1))], 2),
        "times": len(ordered),
    }


def over_sql(times: int) -> dict[str, Any]:
    """Ask the product's query function."""
    from marketplace.market.queries import search  # noqa: PLC0415
    from marketplace.market.rules.search import Sort, Wanted  # noqa: PLC0415
    from marketplace.reference.queries import city  # noqa: PLC0415

    now = datetime.now(UTC)

    def wanted(form: dict[str, str], **other: Any) -> Wanted:
        place = city(int(form["near"]))
        return Wanted(
            **{
                "kind": form["chemistry"],
                "origin": form.get("origin", ""),
                "route": form.get("route", ""),
                "kg_from": _number(form.get("kg_from")),
                "kg_to": _number(form.get("kg_to")),
                "health_from": _number(form.get("health_from"), share=True),
                "usd_per_kg_to": _number(form.get("price_to")),
                "latitude": place.latitude if place else None,
                "longitude": place.longitude if place else None,
                "sort": Sort.NEAR,
            }
            | other
        )

    questions = asked(random.Random(11))
    for _warm in range(40):
        search(wanted(next(questions)), size=24, now=now)
    first: list[float] = []
    found = 0
    for _time in range(times):
        question = wanted(next(questions))
        found += len(timed(first, lambda: search(question, size=24, now=now)).rows)  # noqa: B023
    told: dict[str, Any] = {"first_page": marks(first) | {"rows": round(found / times, 1)}}
    for name, other in (
        ("near", {}),
        ("ends", {"sort": Sort.ENDS}),
        ("price", {"sort": Sort.PRICE}),
        ("newest", {"sort": Sort.NEWEST}),
    ):
        told[f"deep_{name}"] = deep(wanted(next(questions), kind="", origin="", route="", kg_from=None,
            kg_to=None, health_from=None, usd_per_kg_to=None, **other), now)  # fmt: skip
    return told


def deep(wanted: Any, now: datetime) -> dict[str, Any]:
    """Walk a long list in pages of 24, with strides of 2,000 rows between what is measured."""
    from marketplace.market.queries import search  # noqa: PLC0415

    at_depth: dict[int, dict[str, float | int]] = {}
    after, depth, last = "", 0, ""
    for mark in (0, 10_000, 50_000, 100_000):
        while depth < mark:
            hits = search(wanted, size=2_000, now=now, after=after)
            if not hits.after:
                break
            after, depth = hits.after, depth + len(hits.rows)
        if depth < mark:
            break
        times: list[float] = []
        last = after
        for _page in range(40):
            hits = timed(times, lambda: search(wanted, size=24, now=now, after=last))  # noqa: B023
            last = hits.after
        after, depth = last, depth + 40 * 24
        at_depth[mark] = marks(times)
    return at_depth


def _number(text: str | None, *, share: bool = False) -> Decimal | None:
    return None if text is None else Decimal(text) / (100 if share else 1)


def over_http(times: int, url: str, path: str) -> dict[str, Any]:
    """Ask the page over a real server."""
    server = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "marketplace.wsgi", "--bind", f"127.0.0.1:{PORT}", "--workers", "1",
         "--threads", "2", "--worker-class", "gthread", "--log-level", "warning"],
        env=os.environ | {"DATABASE_URL": url, "SITE_URL": f"http://127.0.0.1:{PORT}", "LOG_LEVEL": "WARNING"},
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        link = _link()
        questions = asked(random.Random(11))
        spent: list[float] = []
        for number in range(times + 20):
            query = urlencode(next(questions))

            def get(query: str = query) -> bytes:
                link.request("GET", f"{path}?{query}", headers={"Host": f"127.0.0.1:{PORT}"})
                answer = link.getresponse()
                body = answer.read()
                if answer.status != 200:
                    raise SystemExit(f"{answer.status} for {query}")
                return body

            timed(spent if number >= 20 else [], get)
        return marks(spent)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)


def _link() -> http.client.HTTPConnection:
    for _try in range(150):
        try:
            link = http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)
            link.request("GET", "/livez")
            link.getresponse().read()
        except OSError:
            time.sleep(0.2)
        else:
            return link
    raise SystemExit("The server did not come up.")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.nearby")
    parser.add_argument("--lots", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=400)
    parser.add_argument("--keep", action="store_true", help="leave the database for the next run")
    given = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketplace.settings")
    server = os.environ["DATABASE_URL"]
    url, name = own_database(server)
    os.environ["DATABASE_URL"] = url
    django.setup()
    began = time.time()
    made(given.lots, url, name, server)
    seconds = time.time() - began
    try:
        told = over_sql(given.times)
        pages = over_http(given.times // 2, url, "/market/")
        api = over_http(given.times // 2, url, "/api/v1/market/")
    finally:
        if not given.keep:
            with psycopg.connect(server, autocommit=True) as session:
                session.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    sql = told["first_page"]
    report = {
        "lots": given.lots,
        "open": given.lots // 5,
        "p50": sql["p50"],
        "p95": sql["p95"],
        "sql": told,
    }
    print(
        json.dumps(
            report | {"http_page": pages, "http_api": api, "made_in_seconds": round(seconds)}
        )
    )


if __name__ == "__main__":
    main()
