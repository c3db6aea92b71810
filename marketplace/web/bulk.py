"""Many bids in one go: choose or upload, look once more, place."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from uuid import UUID, uuid4

from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from marketplace.accounts.capabilities import Capability
from marketplace.core.clock import database_clock
from marketplace.core.errors import Refused
from marketplace.market import queries, services
from marketplace.market.models import Auction
from marketplace.market.rules.search import Wanted

from .http import WebRequest, login_needed, page
from .market import title_of
from .search import FilterForm

FIELD = "max-"
MOST_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the sheet: what was written, which auction it is, and what is wrong with it."""

    auction_id: str
    written: str
    auction: Auction | None = None
    title: str = ""
    price: Decimal | None = None
    maximum: Decimal | None = None
    problem: str = ""


@login_needed
def many(request: WebRequest) -> HttpResponse:
    """Bid for several lots at once: a form, then a look, then what became of each."""
    request.actor.require(Capability.BID_PLACE)
    if request.method != "POST":
        return _form(request)
    is_sent = request.POST.get("step") == "place"
    lines = _read(request, list(_written(request)), is_sent=is_sent)
    good = [line for line in lines if not line.problem]
    if not is_sent or not good or len(good) < len(lines):
        context = {"lines": lines, "ready": bool(good), "sheet_id": uuid4()}
        return page(request, "web/market/many_look.html", context, status=200 if good else 422)
    is_meant = request.POST.get("is_meant") == "on"
    rows = [
        services.Row(line.auction.pk, line.maximum, is_meant)
        for line in good
        if line.auction is not None and line.maximum is not None
    ]
    try:
        sheet_id = UUID(request.POST.get("sheet_id", ""))
        outcomes = services.place_bids(
            rows, actor=request.actor, sheet_id=sheet_id, clock=database_clock
        )
    except (ValueError, Refused) as refusal:
        said = refusal.message if isinstance(refusal, Refused) else _("Send the list again.")
        context = {"lines": lines, "ready": True, "sheet_id": uuid4(), "said": said}
        return page(request, "web/market/many_look.html", context, status=422)
    titles = {line.auction.pk: line for line in good if line.auction is not None}
    done = [(outcome, titles[outcome.row.auction_id]) for outcome in outcomes]
    return page(request, "web/market/many_done.html", {"done": done})


def _form(request: WebRequest) -> HttpResponse:
    """Show what the list shows, with a field for each lot, and a place for a file."""
    wanted = FilterForm(request.GET or None, actor=request.actor).wanted
    hits = queries.search(wanted or Wanted(), size=24, now=timezone.now())
    lines = [
        Line(str(row.pk), "", row, title_of(row.lot), _price(row))
        for row in queries.auctions_of(hits)
    ]
    return page(request, "web/market/many.html", {"lines": lines})


def _written(request: WebRequest) -> Iterator[tuple[str, str]]:
    """Yield auction and maximum of every row that is filled in: from the fields, the text and the file."""
    for name, value in request.POST.items():
        if name.startswith(FIELD) and str(value).strip():
            yield name.removeprefix(FIELD), str(value).strip()
    text = request.POST.get("text", "")
    upload = request.FILES.get("file")
    if upload is not None and (upload.size or 0) <= MOST_BYTES:
        text += "\n" + upload.read().decode("utf-8-sig", errors="replace")
    for row in csv.reader(text[:MOST_BYTES].replace("\0", "").splitlines()):
        cells = [cell.strip() for cell in row]
        if len(cells) >= 2 and cells[0].casefold() != "auction":
            yield cells[0], cells[1]


def _read(
    request: WebRequest, written: list[tuple[str, str]], *, is_sent: bool = False
) -> list[Line]:
    """Return the rows with what is wrong with them.

    :param is_sent: whether the sheet was sent for good: then what closed meanwhile is for the service to say, which knows
        whether the bid was placed when the same sheet came before
    """
    numbers = [
        int(pk) for pk, _maximum in written if pk.isascii() and pk.isdecimal() and len(pk) < 18
    ]
    rows = Auction.objects.visible_to(request.actor).select_related("lot__chemistry")
    known = rows.in_bulk(numbers[: services.MOST_ROWS + 1])
    seen: set[str] = set()
    lines = []
    for pk, text in written:
        auction = known.get(int(pk)) if pk.isascii() and pk.isdecimal() and len(pk) < 18 else None
        maximum = _amount(text)
        problem = ""
        if auction is None:
            problem = _("There is no such auction.")
        elif pk in seen:
            problem = _("An auction stands in the list twice. Leave one of the two out.")
        elif maximum is None:
            problem = _("Write the amount in numbers, as 18500.")
        elif auction.status != Auction.Status.OPEN and not is_sent:
            problem = _("This auction has closed. Look for another lot.")
        seen.add(pk)
        if auction is None:
            lines.append(Line(pk[:20], text[:20], problem=problem))
        else:
            lines.append(
                Line(pk, text, auction, title_of(auction.lot), _price(auction), maximum, problem)
            )
    return lines


def _amount(text: str) -> Decimal | None:
    try:
        amount = Decimal(text.replace(" ", ""))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and 0 < amount < Decimal(10) ** 12 else None


def _price(auction: Auction) -> Decimal:
    is_hidden = auction.mode != Auction.Mode.OPEN or auction.price is None
    return auction.starting_price if is_hidden else auction.price or Decimal(0)
