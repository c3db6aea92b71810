"""Every sentence that we write to people, in one table.

A notice keeps its template's name and plain facts; the words are chosen when it is read, in the reader's language.
Texts stand alone in a text message: what happened, then what to do. ``manage.py check_translations`` and
``tests/rules/test_notifications_wording.py`` hold every language to that.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from babel.dates import format_date
from babel.numbers import format_decimal
from django.utils import translation
from django.utils.dateparse import parse_date
from django.utils.translation import gettext, gettext_noop

from . import rules


@dataclass(frozen=True, slots=True)
class Wording:
    """A sentence with ``%(name)s`` places, the icon beside it, and whether it is worth a mail or a text message."""

    text: str
    icon: str = "bell"
    copies: bool = True


W = Wording
WORDINGS: Mapping[str, Wording] = {
    # --- lots
    "lot_valued": W(
        gettext_noop(
            "Lot %(lot)s is worth %(low)s to %(high)s %(currency)s. Start the sale when you are ready."
        ),
        "circle-check",
    ),
    "deal_taken_out": W(
        gettext_noop(
            "The deal on lot %(lot)s no longer counts in the price index: %(reason)s. If that is wrong, write to us."
        ),
        "info",
        copies=False,
    ),
    "lot_quarantined": W(
        gettext_noop(
            "Lot %(lot)s is dangerous. Do not move it, charge it or press it. Keep people away and read what to do."
        ),
        "octagon-alert",
    ),
    "lot_needs_info": W(
        gettext_noop("We need something more about lot %(lot)s. Open it to see what."), "info"
    ),
    "lot_returned": W(gettext_noop("Lot %(lot)s is back with you."), "info", copies=False),
    # --- auctions
    "first_bid": W(
        gettext_noop("The first bid for lot %(lot)s is in: %(amount)s %(currency)s."), "gavel"
    ),
    "sealed_bid": W(gettext_noop("The first sealed bid for lot %(lot)s is in."), "gavel"),
    "outbid": W(
        gettext_noop("Somebody bid more for lot %(lot)s: %(amount)s %(currency)s. Bid again."),
        "gavel",
    ),
    "lot_sold": W(
        gettext_noop("Lot %(lot)s is sold for %(amount)s %(currency)s. Next: sign the contract."),
        "circle-check",
    ),
    "lot_unsold": W(
        gettext_noop("Nobody bought lot %(lot)s. Try again with a lower start price."), "info"
    ),
    "seller_decides": W(
        gettext_noop(
            "The best bid for lot %(lot)s is %(amount)s %(currency)s, below your lowest price. Yes or no?"
        ),
        "gavel",
    ),
    "won": W(
        gettext_noop("You won lot %(lot)s for %(amount)s %(currency)s. Next: sign the contract."),
        "circle-check",
    ),
    "lost": W(
        gettext_noop("Lot %(lot)s went to another bidder for %(amount)s %(currency)s."), "info"
    ),
    "not_sold_to_you": W(
        gettext_noop("The sale of lot %(lot)s ended without a buyer."), "info", copies=False
    ),
    "auction_withdrawn": W(
        gettext_noop("The seller took lot %(lot)s off the market. Your deposit is free again."),
        "info",
    ),
    "winner_defaulted": W(
        gettext_noop("The buyer of lot %(lot)s did not keep the word. We ask the next bidder."),
        "info",
    ),
    # --- standing orders
    "order_bought": W(
        gettext_noop(
            "Lot %(lot)s was sold to your order %(order)s for %(amount)s %(currency)s. Next: sign the contract."
        ),
        "circle-check",
    ),
    "order_is_filled": W(
        gettext_noop("Your order %(order)s is filled. Publish a new one to buy more."), "info"
    ),
    "order_expired": W(
        gettext_noop(
            "The time of your order %(order)s is over. What was left of its budget is free."
        ),
        "info",
    ),
    "order_paused_licence": W(
        gettext_noop(
            "Your order %(order)s is paused: your licence no longer covers it. Renew it, then buy again."
        ),
        "triangle-alert",
    ),
    "order_paused_default": W(
        gettext_noop(
            "Your order %(order)s is paused, because a sale to it was not honoured. Buy again when you are ready."
        ),
        "triangle-alert",
    ),
    "order_sale_undone_seller": W(
        gettext_noop(
            "The sale of lot %(lot)s fell through. It is free again: look at the other offers."
        ),
        "info",
    ),
    "order_sale_undone_buyer": W(
        gettext_noop("The sale of lot %(lot)s to your order %(order)s fell through."), "info"
    ),
    "price_taken": W(
        gettext_noop(
            "Somebody took lot %(lot)s at %(amount)s %(currency)s. Sealed bids above it may follow."
        ),
        "gavel",
    ),
    "last_word": W(
        gettext_noop(
            "Lot %(lot)s: the best sealed bid is %(amount)s %(currency)s. Bid more within minutes, or it goes."
        ),
        "gavel",
    ),
    "opening_waits": W(
        gettext_noop(
            "Bids for lot %(lot)s cannot be opened yet: a part of their key is missing. No bid is lost. We write again."
        ),
        "lock",
    ),
    "auction_paused": W(
        gettext_noop(
            "The sale of lot %(lot)s pauses. Nobody can bid. The time lost is added at the end."
        ),
        "clock",
    ),
    "auction_resumed": W(
        gettext_noop("The sale of lot %(lot)s goes on. It ends %(minutes)s minutes later."),
        "clock",
    ),
    "question_asked": W(
        gettext_noop("A buyer asks something about lot %(lot)s. Answer it for everybody."), "info"
    ),
    "question_answered": W(
        gettext_noop("Your question about lot %(lot)s is answered."), "info", copies=False
    ),
    "search_hit": W(
        gettext_noop("Lot %(lot)s is open for bids and fits your search: %(thing)s."), "search"
    ),
    "search_digest": W(
        gettext_noop("New lots that fit your search %(thing)s: %(count)s. Look at them."), "search"
    ),
    # --- deals
    "deal_opened": W(gettext_noop("Deal %(deal)s is ready. Read it and sign."), "handshake"),
    "deal_signed_buyer": W(
        gettext_noop(
            "Deal %(deal)s is signed. Pay %(amount)s %(currency)s now; it is held safely until you accept the goods."
        ),
        "wallet",
    ),
    "deal_signed_seller": W(
        gettext_noop("Deal %(deal)s is signed by both. The buyer pays next."), "handshake"
    ),
    "deal_funded": W(
        gettext_noop("The money for deal %(deal)s is held safely. A carrier will come."), "wallet"
    ),
    "weighed": W(
        gettext_noop("Deal %(deal)s was weighed: %(mass)s kg. Look, and say if it is wrong."),
        "scale",
        copies=False,
    ),
    "deal_adjusted": W(
        gettext_noop(
            "The scales differ in deal %(deal)s. A corrected price is proposed. Agree or object."
        ),
        "scale",
    ),
    "deal_accepted": W(
        gettext_noop("The buyer accepted the goods of deal %(deal)s."), "circle-check"
    ),
    "deal_rejected": W(
        gettext_noop("The buyer rejected the goods of deal %(deal)s. Read why, and answer."), "info"
    ),
    "deal_settled_seller": W(
        gettext_noop("You are paid for deal %(deal)s: %(amount)s %(currency)s."), "wallet"
    ),
    "deal_settled_buyer": W(
        gettext_noop("Deal %(deal)s is paid. Report the processing to get the certificate."),
        "file-check",
    ),
    "deal_defaulted": W(
        gettext_noop("Deal %(deal)s ended: a deadline has passed. Open it to see what follows."),
        "info",
    ),
    "deal_cancelled": W(gettext_noop("Deal %(deal)s was cancelled."), "info"),
    "cancellation_asked": W(
        gettext_noop("The other side wants to cancel deal %(deal)s. Agree or refuse."), "info"
    ),
    "dispute_opened": W(
        gettext_noop("There is a dispute about deal %(deal)s. Answer within 24 hours."), "info"
    ),
    "dispute_ended": W(
        gettext_noop("The dispute about deal %(deal)s is decided. Read how."), "info"
    ),
    "assay_sent": W(
        gettext_noop("A laboratory's result came in for deal %(deal)s. See what is due next."),
        "file-check",
    ),
    "assays_differ": W(
        gettext_noop("The assays of deal %(deal)s differ. Agree to the other's, or ask an umpire."),
        "scale",
    ),
    "assay_agreed": W(
        gettext_noop("Deal %(deal)s: the other side agreed to your assay."), "circle-check"
    ),
    "umpire_asked": W(
        gettext_noop("Deal %(deal)s: an umpire was asked to assay the third sample."), "info"
    ),
    # --- transport
    "quotes_wanted": W(
        gettext_noop("A transport of %(mass)s kg needs a price. Quote before the deadline."),
        "truck",
    ),
    "quotes_offered": W(
        gettext_noop("%(count)s transport offers for deal %(deal)s are here. Choose one."), "truck"
    ),
    "no_quotes": W(
        gettext_noop("No carrier offered for deal %(deal)s. Ask again, or fetch it yourself."),
        "truck",
    ),
    "quote_chosen": W(
        gettext_noop("Your offer for deal %(deal)s was chosen. See the pick-up place and papers."),
        "truck",
    ),
    "shipment_booked": W(
        gettext_noop("%(carrier)s will fetch lot %(lot)s of deal %(deal)s. Have it ready."), "truck"
    ),
    "handed_over": W(
        gettext_noop("The goods of deal %(deal)s are now with %(to)s."), "truck", copies=False
    ),
    # --- certificates
    "certificate_issued": W(
        gettext_noop("Certificate %(code)s for deal %(deal)s is issued. Anybody can check it."),
        "badge-check",
    ),
    "certificate_revoked": W(
        gettext_noop("Certificate %(code)s was withdrawn. Read why."), "badge-check"
    ),
    "report_contradicted": W(
        gettext_noop("Your report for deal %(deal)s cannot be certified. Read why and correct it."),
        "file-check",
    ),
    # --- licences
    "licence_verified": W(gettext_noop("Your licence %(number)s is verified."), "file-check"),
    "licence_refused": W(
        gettext_noop("Your licence %(number)s was refused. Read why."), "file-check"
    ),
    "licence_needs_info": W(
        gettext_noop("We need something about licence %(number)s. Read what, and send it again."),
        "file-check",
    ),
    "licence_suspended": W(
        gettext_noop("Your licence %(number)s is suspended. Read why."), "file-check"
    ),
    "licence_reinstated": W(gettext_noop("Your licence %(number)s counts again."), "file-check"),
    "licence_expired": W(
        gettext_noop(
            "Your licence %(number)s has ended. You may finish what you began until %(until)s. Add the new one."
        ),
        "file-check",
    ),
    "member_added": W(
        gettext_noop("You may now act for %(organisation)s."), "building-2", copies=False
    ),
    "organisation_frozen": W(
        gettext_noop("%(organisation)s is frozen: %(reason)s Write to us."), "lock"
    ),
    "organisation_released": W(gettext_noop("%(organisation)s may act again."), "lock"),
    # --- to addresses, before there is an inbox
    "code": W(
        gettext_noop(
            "%(code)s is your Voltbazaar code. It ends in 15 minutes. Give it to nobody, also not to us."
        ),
        "lock",
    ),
    "invitation": W(
        gettext_noop(
            "%(organisation)s invites you to Voltbazaar. Join with this address: %(site)s"
        ),
        "building-2",
    ),
    # --- answers to texts that ask for a price
    "price_answer": W(
        gettext_noop(
            "%(thing)s %(quantity)s: %(low)s - %(high)s %(currency)s, about %(typical)s. A photo of the label tells more."
        ),
        "scale",
    ),
    "price_may_cost": W(
        gettext_noop(
            "%(thing)s %(quantity)s: up to %(high)s %(currency)s, or it costs up to %(low)s to be rid of. A photo tells more."
        ),
        "scale",
    ),
    "price_costs": W(
        gettext_noop(
            "%(thing)s %(quantity)s: costs %(high)s - %(low)s %(currency)s to be rid of today. A bigger load costs less a kg."
        ),
        "scale",
    ),
    "price_help": W(
        gettext_noop(
            "Ask so: PRICE SCOOTER 20 KG, or PRICE PHONE 300 PCS. Words: scooter, rickshaw, EV, aki, inverter, phone, laptop, tool, solar."
        ),
        "info",
    ),
    "price_unknown": W(
        gettext_noop("We cannot say a price for that now. Try again tomorrow."), "info"
    ),
}

SUBJECT = gettext_noop("Voltbazaar: %(start)s")
MONEY = frozenset({"amount", "low", "high", "typical"})
NAMES = frozenset({"lot", "organisation", "carrier", "to", "number", "reason", "thing"})


def sentence(template: str, facts: Mapping[str, Any], *, language: str | None = None) -> str:
    """Return what a notice says, in a language, or in the one that is active.

    An unknown template (an old notice, a newer one read by an old process) says that there is news.
    """
    if language is not None:
        with translation.override(language):
            return sentence(template, facts)
    wording = WORDINGS.get(template)
    if wording is None:
        return gettext("There is news for you.")
    return gettext(wording.text) % _written(facts)


def subject(text: str) -> str:
    """Return the subject of a mail: the first sentence, without line breaks."""
    start = " ".join(text.split()).split(". ", 1)[0].rstrip(".")
    return gettext(SUBJECT) % {"start": start[:120]}


def _written(facts: Mapping[str, Any]) -> dict[str, str]:
    """Write facts as the reader's language does, in letters that every phone can show."""
    language = (translation.get_language() or "en").replace("-", "_")
    written: dict[str, str] = {}
    for name, fact in facts.items():
        if name in MONEY:
            written[name] = _plain(_decimal(fact, "#,##0.##", language))
        elif name == "mass":
            written[name] = _plain(_decimal(fact, "#,##0.###", language))
        elif name == "until":
            day = parse_date(str(fact))
            written[name] = _plain(format_date(day, "d MMM y", locale=language)) if day else ""
        elif name in NAMES:
            written[name] = rules.shortened(str(fact))
        else:
            written[name] = str(fact)
    return written


def _decimal(value: Any, pattern: str, language: str) -> str:
    return str(format_decimal(Decimal(str(value)), pattern, locale=language))


def _plain(text: str) -> str:
    return text.replace("\u00a0", " ").replace("\u202f", " ")
