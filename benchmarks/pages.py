"""Time of the list of lots that are open for bids, over HTTP.

.venv/bin/python -m marketplace.ops.stack --var var/bench -- .venv/bin/python -m benchmarks.pages
"""

import http.client
import os
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

LOTS = int(os.environ.get("LOTS", "300"))
TIMES = int(os.environ.get("TIMES", "200"))
PAGES = ("/market/", "/market/?chemistry=NMC&country=ID", "/api/v1/auctions/?status=OPEN")


def visit(path: str, head: dict[str, str], times: int) -> list[float]:
    """Return how long each of several visits took, in ms."""
    site = urlsplit(os.environ["SITE_URL"])
    link = http.client.HTTPConnection("127.0.0.1", site.port, timeout=30)
    took = []
    for _time in range(times):
        began = time.perf_counter()
        link.request("GET", path, headers={"Host": site.netloc, **head})
        answer = link.getresponse()
        answer.read()
        took.append((time.perf_counter() - began) * 1000)
        if answer.status != 200:
            raise SystemExit(f"{path}: {answer.status}")
    return took


def main() -> None:
    from benchmarks import cast  # noqa: PLC0415 — sets Django up

    cast.reference()
    seller = cast.member("COLLECTOR")
    for number in range(LOTS):
        cast.hot_auction(seller, chemistry=("NMC532", "LFP", "NMC622")[number % 3])
    buyer, key = cast.bidder()
    for who, head in (
        ("nobody", {}),
        ("a buyer", {"Cookie": cast.cookie_of(buyer), "Authorization": f"Bearer {key}"}),
    ):
        for path in PAGES:
            if path.startswith("/api") and not head:
                continue
            visit(path, head, 10)
            alone = sorted(visit(path, head, TIMES))
            began = time.perf_counter()
            with ThreadPoolExecutor(4) as pool:
                list(pool.map(lambda _n, p=path, h=head: visit(p, h, TIMES // 4), range(4)))
            rate = TIMES // 4 * 4 / (time.perf_counter() - began)
            print(
                f"{path:36} {who:8} p50 {statistics.median(alone):6.1f} ms"
                f"  p95 {alone[int(TIMES * 0.95)]:6.1f} ms  4 at once {rate:5.0f}/s"
            )


if __name__ == "__main__":
    main()
