"""Winner determination of one combinatorial auction in CATS format.

python -m benchmarks.winners FILE.txt [--seconds 60]
"""

import argparse
import json
from pathlib import Path

from benchmarks.quiet import answered
from marketplace.market.rules.packages import WIDEST_CAPS, Bid, Lot, Sale
from marketplace.market.rules.winners import determine


def read(path: Path) -> Sale:
    """Read a CATS file: each line number, price, goods, #. Goods beyond ``goods`` are dummies that make bids exclude one another.

    Every bid is a bidder of its own; prices are read in thousandths if any has decimals.
    """
    sizes, rows = {}, []
    for line in path.read_text().splitlines():
        words = line.split()
        if not words or words[0].startswith("%"):
            continue
        if words[0] in {"goods", "bids", "dummy"}:
            sizes[words[0]] = int(words[1])
        else:
            rows.append((words[0], words[1], words[2 : words.index("#")]))
    scale = 1000 if any("." in price for _number, price, _goods in rows) else 1
    lots = tuple(Lot(str(good), 1) for good in range(sizes["goods"] + sizes.get("dummy", 0)))
    bids = tuple(
        Bid(number, number, tuple(goods), round(float(price) * scale))
        for number, price, goods in rows
    )
    return Sale(lots, bids)


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("file", type=Path)
    asked.add_argument("--seconds", type=float, default=60)
    given = asked.parse_args()
    sale = read(given.file)
    with answered() as tell:
        outcome = determine(sale, seconds=given.seconds, caps=WIDEST_CAPS)
        tell(
            json.dumps(
                {
                    "file": given.file.name,
                    "bids": len(sale.bids),
                    "value": outcome.value,
                    "bound": outcome.bound,
                    "gap": outcome.gap,
                    "proven": outcome.proven,
                    "ties_settled": outcome.ties_settled,
                    "floor": outcome.floor,
                    "method": outcome.method,
                    "seconds": round(outcome.seconds, 3),
                }
            )
        )


if __name__ == "__main__":
    main()
