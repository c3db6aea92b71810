"""The trip of a deal's goods: planned, quoted, booked, papered, handed over twice against a code."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from uuid import UUID

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from marketplace.accounts import services as accounts
from marketplace.accounts.actors import SYSTEM, Actor
from marketplace.accounts.capabilities import Capability
from marketplace.compliance import services as compliance
from marketplace.compliance.models import Classification
from marketplace.core.errors import Refused
from marketplace.core.locks import lock_word
from marketplace.core.quantities import to_the_gram
from marketplace.deals import services as deals
from marketplace.deals.models import Deal, Weighing
from marketplace.freight import services as freight
from marketplace.freight.models import FreightQuote, QuoteRound
from marketplace.journal.services import enqueue, record
from marketplace.lots.queries import presumed_chemistry
from marketplace.reference.models import LicenceType

from . import printing, queries, rules
from .events import GoodsHandedOver, ShipmentBooked, ShipmentPlanned
from .models import Handover, HandoverCode, Shipment, TransportDocument

RENDER = "logistics.render_documents"
TO_CARRIER, TO_BUYER = 1, 2


class TransportRefused(Refused):
    code = "transport_refused"


class HandoverRefused(Refused):
    code = "handover_refused"


class CodeWrong(HandoverRefused):
    code = "handover_code_wrong"


@dataclass(frozen=True, slots=True)
class Paper:
    """A printed paper that lies in the file store, and does not count until it is stored."""

    kind: str
    language: str
    content_sha256: str
    file: str


# --- planning -------------------------------------------------------------------------------------


@transaction.atomic
def plan_shipment(deal_id: int, *, now: datetime) -> Shipment:
    """Plan the trip of a paid deal and ask the carriers. Once per deal.

    Goods that must not travel are planned, but nobody is asked: the deal shows why.
    """
    lock_word(f"shipment of deal:{deal_id}")
    if planned := Shipment.objects.filter(deal_id=deal_id).first():
        return planned
    deal = Deal.objects.select_related("lot", "buyer", "licence").get(pk=deal_id)
    shipment = Shipment.objects.create(
        deal=deal,
        classification=compliance.classify(deal.lot, mode=Classification.Mode.ROAD, now=now),
        planned_at=now,
    )
    record(ShipmentPlanned(shipment_id=shipment.pk, deal_id=deal.pk), by=SYSTEM, at=now)
    if not shipment.classification.refusal and _ends(deal) is not None:
        _ask_carriers(shipment, actor=SYSTEM, now=now)
    return shipment


@transaction.atomic
def request_transport(shipment: Shipment, *, actor: Actor, now: datetime) -> QuoteRound:
    """Ask the carriers again, when nobody offered or no offer suits.

    :raises PermissionDenied: if the actor is not of the buyer
    :raises TransportRefused: if the goods must not travel, or it is not known where they go
    """
    actor.require(Capability.DEAL_BUY, of=shipment.deal.buyer_id)
    shipment = Shipment.objects.lock(shipment)
    if shipment.status != Shipment.Status.PLANNED:
        raise TransportRefused(_("A carrier has been booked already."))
    if shipment.classification.refusal:
        raise TransportRefused(shipment.classification.refusal)
    latest = queries.latest_round(shipment)
    if latest is not None and latest.status != QuoteRound.Status.EXPIRED:
        return freight.ask_again(latest, actor=actor, now=now)
    if _ends(shipment.deal) is None:
        raise TransportRefused(
            _("We do not know where it goes. Add the place of your works to your licence.")
        )
    return _ask_carriers(shipment, actor=actor, now=now)


def _ask_carriers(shipment: Shipment, *, actor: Actor, now: datetime) -> QuoteRound:
    deal = shipment.deal
    ends = _ends(deal)
    if ends is None:
        raise LookupError(f"Deal {deal.pk} has no known ends.")
    origin, destination = ends
    return freight.request_quotes(
        purpose=queries.purpose_of(shipment),
        asked_by=deal.buyer,
        origin=origin,
        destination=destination,
        mass_kg=deal.declared_kg,
        un_number=shipment.classification.un_number,
        chemistry_code=presumed_chemistry(deal.lot).code,
        currency=deal.currency,
        actor=actor,
        now=now,
    )


def _ends(deal: Deal) -> tuple[freight.Place, freight.Place] | None:
    """Return where the goods lie and where they go: the licensed site, else the buyer's place."""
    lot, buyer, licence = deal.lot, deal.buyer, deal.licence
    if lot.latitude is None or lot.longitude is None:
        return None
    origin = freight.Place(lot.country, lot.place, lot.latitude, lot.longitude)
    if licence.site_latitude is not None and licence.site_longitude is not None:
        place = licence.site_place or licence.site_name
        return origin, freight.Place(
            licence.country, place, licence.site_latitude, licence.site_longitude
        )
    if buyer.latitude is None or buyer.longitude is None:
        return None
    return origin, freight.Place(buyer.country, buyer.place, buyer.latitude, buyer.longitude)


@transaction.atomic
def book(quote_id: int, *, now: datetime) -> Shipment | None:
    """Book the carrier whose offer was chosen, and queue the papers. Once per quote.

    Returns None if the deal has ended in the meantime: then nobody drives.
    """
    quote = FreightQuote.objects.select_related("round").get(pk=quote_id)
    deal_id = queries.deal_of(quote.round.purpose)
    planned = deal_id and Shipment.objects.filter(deal_id=deal_id).first()
    if not planned:
        return None
    shipment = Shipment.objects.lock(planned)
    deal = Deal.objects.lock(shipment.deal)
    if shipment.quote_id == quote.pk:
        return shipment
    if deal.status != Deal.Status.FUNDED:
        return None
    deals.mark_carrier_booked(deal, carrier_id=quote.carrier_id, by=SYSTEM, now=now)
    shipment.enter(Shipment.Status.BOOKED)
    shipment.carrier_id, shipment.quote, shipment.booked_at = quote.carrier_id, quote, now
    shipment.save(update_fields=["status", "carrier", "quote", "booked_at"])
    enqueue(
        RENDER, {"shipment": shipment.pk}, now=now, dedupe_key=f"papers:{shipment.pk}:{quote.pk}"
    )
    record(ShipmentBooked(shipment_id=shipment.pk, deal_id=deal.pk), by=SYSTEM, at=now)
    return shipment


@transaction.atomic
def call_off(deal_id: int, *, now: datetime) -> None:
    """The deal has ended before the goods left: nobody drives. Again changes nothing."""
    planned = Shipment.objects.filter(deal_id=deal_id).first()
    if planned is None:
        return
    shipment = Shipment.objects.lock(planned)
    if Shipment.Status.CANCELLED not in shipment.NEXT[shipment.status]:
        return
    shipment.enter(Shipment.Status.CANCELLED)
    shipment.save(update_fields=["status"])
    freight.call_off(purpose=queries.purpose_of(shipment))


@transaction.atomic
def close_shipment(deal_id: int, *, now: datetime) -> None:
    """The buyer has decided about the goods: the trip is over. Again changes nothing."""
    arrived = Shipment.objects.filter(deal_id=deal_id, status=Shipment.Status.ARRIVED).first()
    if arrived is None:
        return
    shipment = Shipment.objects.lock(arrived)
    if shipment.status == Shipment.Status.ARRIVED:
        shipment.enter(Shipment.Status.CLOSED)
        shipment.save(update_fields=["status"])


# --- papers ---------------------------------------------------------------------------------------


def prepare_documents(shipment_id: int, *, now: datetime) -> list[Paper]:
    """Print the papers of a booked shipment. The slow part: call outside a transaction.

    Leaves no trace but files that nothing refers to. What has been printed before is not printed again.
    """
    shipment = Shipment.objects.select_related(
        "deal__lot__chemistry", "deal__seller", "deal__buyer", "deal__licence", "carrier", "quote"
    ).get(pk=shipment_id)
    known = {(row.kind, row.language, row.content_sha256) for row in shipment.documents.all()}
    papers = []
    for language, _name in settings.LANGUAGES:
        for kind in TransportDocument.Kind:
            said = printing.said_by(kind, shipment, language=language)
            digest = sha256(said.encode()).hexdigest()
            if (kind, language, digest) in known:
                continue
            pdf = printing.paper_pdf(said, address=printing.address_of(shipment), at=now)
            name = f"transport/{shipment.pk}/{kind.lower()}-{language}-{secrets.token_hex(8)}.pdf"
            file = default_storage.save(name, ContentFile(pdf))
            papers.append(Paper(kind, language, digest, file))
    return papers


@transaction.atomic
def store_documents(shipment_id: int, papers: Sequence[Paper], *, now: datetime) -> None:
    """Write down what was printed. The same content counts once."""
    TransportDocument.objects.bulk_create(
        [
            TransportDocument(
                shipment_id=shipment_id,
                kind=paper.kind,
                language=paper.language,
                content_sha256=paper.content_sha256,
                file=paper.file,
                rendered_at=now,
            )
            for paper in papers
        ],
        ignore_conflicts=True,
    )


# --- handing over ---------------------------------------------------------------------------------


@transaction.atomic
def show_code(shipment: Shipment, *, actor: Actor, now: datetime) -> str:
    """Make a one-time code for whoever gives the goods away, and return it: this once, only its hash is kept.

    A new code puts the one before out of use.

    :raises PermissionDenied: if the actor is not the one who gives the goods away now
    :raises HandoverRefused: if there is nothing to hand over
    """
    shipment = Shipment.objects.lock(shipment)
    sequence = _next_handover(shipment)
    giver = _giver(shipment, sequence, actor)
    code = f"{secrets.randbelow(10**rules.CODE_DIGITS):0{rules.CODE_DIGITS}d}"
    HandoverCode.objects.filter(shipment=shipment, sequence=sequence, used_at=None).delete()
    HandoverCode.objects.create(
        shipment=shipment,
        sequence=sequence,
        code_sha256=_hash(shipment, sequence, code),
        shown_to_id=giver,
        created_at=now,
    )
    return code


def hand_over(
    shipment: Shipment,
    *,
    actor: Actor,
    code: str,
    request_id: UUID,
    now: datetime,
    mass_kg: Decimal | None = None,
) -> Handover:
    """Take the goods over from whoever shows the code: the carrier at pick-up, the buyer at delivery.

    The same request counts once, however often a phone sends it. A wrong code is counted even though it is refused.

    :param mass_kg: what the scale shows, net. Needed at pick-up unless it was weighed there; at delivery the buyer
        may weigh after taking over
    :raises PermissionDenied: if the actor is not the one who takes the goods over now
    :raises CodeWrong: if the code is not the one shown
    :raises HandoverRefused: if no code was shown, or it was tried too often
    :raises WeighingRefused: if the mass makes no sense
    """
    taken = _hand_over(
        shipment, actor=actor, code=code, request_id=request_id, now=now, mass_kg=mass_kg
    )
    if isinstance(taken, Handover):
        return taken
    raise CodeWrong(
        ngettext(
            "This is not the code. %(left)s try left.",
            "This is not the code. %(left)s tries left.",
            taken,
        )
        % {"left": taken},
        field="code",
    )


@transaction.atomic
def _hand_over(
    shipment: Shipment,
    *,
    actor: Actor,
    code: str,
    request_id: UUID,
    now: datetime,
    mass_kg: Decimal | None,
) -> Handover | int:
    """Return the hand-over, or how many tries are left."""
    lock_word(f"handover:{actor.organisation_id}:{request_id}")
    repeated = Handover.objects.filter(
        to_organisation_id=actor.organisation_id, request_id=request_id
    ).first()
    if repeated is not None:
        return repeated
    shipment = Shipment.objects.lock(shipment)
    sequence = _next_handover(shipment)
    taker = _taker(shipment, sequence, actor)
    shown = HandoverCode.objects.filter(shipment=shipment, sequence=sequence, used_at=None).first()
    if shown is None:
        raise HandoverRefused(_("Ask the other side to show you the code."), field="code")
    if shown.tries >= rules.MOST_TRIES:
        raise HandoverRefused(_("Too many wrong codes. Ask for a new one."), field="code")
    if not constant_time_compare(shown.code_sha256, _hash(shipment, sequence, code.strip())):
        shown.tries += 1
        shown.save(update_fields=["tries"])
        return rules.MOST_TRIES - shown.tries
    shown.used_at = now
    shown.save(update_fields=["used_at"])

    if sequence == TO_CARRIER:
        weighed_kg = _load(shipment, actor, mass_kg, request_id, now=now)
    else:
        weighed_kg = _unload(shipment, actor, mass_kg, request_id, now=now)
    handover = _link(shipment, sequence, shown.shown_to_id, taker, weighed_kg, actor, now=now)
    handover.request_id = request_id
    handover.save(force_insert=True)
    record(
        GoodsHandedOver(shipment_id=shipment.pk, deal_id=shipment.deal_id, handover_id=handover.pk),
        by=actor,
        at=now,
    )
    return handover


def _load(
    shipment: Shipment, actor: Actor, mass_kg: Decimal | None, request_id: UUID, *, now: datetime
) -> Decimal:
    """The carrier takes the goods: weighed, under a licence that still counts. Returns the mass."""
    deal = shipment.deal
    accounts.finish_licence(
        organisation_id=shipment.carrier_id or 0,
        act=LicenceType.Use.CARRY,
        chemistry_code=presumed_chemistry(deal.lot).code,
        country=None,
        on=now.date(),
    )
    weighed = deal.weighings.filter(stage=Weighing.Stage.PICKUP).first()
    if weighed is None and mass_kg is None:
        raise HandoverRefused(_("Enter what the scale shows."), field="mass_kg")
    if weighed is None and mass_kg is not None:
        weighed = _weigh(deal, actor, Weighing.Stage.PICKUP, mass_kg, request_id, now=now)
    deals.mark_picked_up(deal, by=actor, now=now)
    shipment.enter(Shipment.Status.IN_TRANSIT)
    shipment.save(update_fields=["status"])
    return weighed.net_kg if weighed else deal.declared_kg


def _unload(
    shipment: Shipment, actor: Actor, mass_kg: Decimal | None, request_id: UUID, *, now: datetime
) -> Decimal:
    """The buyer takes the goods. Returns the mass: of the buyer's scale, or what was loaded if it comes later."""
    deal = shipment.deal
    weighed = deal.weighings.filter(stage=Weighing.Stage.DELIVERY).first()
    if weighed is None and mass_kg is not None:
        weighed = _weigh(deal, actor, Weighing.Stage.DELIVERY, mass_kg, request_id, now=now)
    deals.mark_arrived(deal, by=actor, now=now)
    shipment.enter(Shipment.Status.ARRIVED)
    shipment.save(update_fields=["status"])
    loaded = shipment.handovers.order_by("-sequence").first()
    if weighed is None:
        return loaded.mass_kg if loaded else deal.declared_kg
    return weighed.net_kg


def _weigh(
    deal: Deal, actor: Actor, stage: str, mass_kg: Decimal, request_id: UUID, *, now: datetime
) -> Weighing:
    return deals.weigh(
        deal,
        actor=actor,
        stage=stage,
        gross_kg=mass_kg,
        tare_kg=Decimal(0),
        request_id=request_id,
        now=now,
    )


def _next_handover(shipment: Shipment) -> int:
    if shipment.status == Shipment.Status.BOOKED:
        return TO_CARRIER
    if shipment.status == Shipment.Status.IN_TRANSIT:
        return TO_BUYER
    raise HandoverRefused(_("There is nothing to hand over now. Reload the page."))


def _giver(shipment: Shipment, sequence: int, actor: Actor) -> int:
    if sequence == TO_CARRIER:
        return actor.require(Capability.DEAL_SELL, of=shipment.deal.seller_id)
    return actor.require(Capability.SHIPMENT_CARRY, of=shipment.carrier_id)


def _taker(shipment: Shipment, sequence: int, actor: Actor) -> int:
    if sequence == TO_CARRIER:
        return actor.require(Capability.SHIPMENT_CARRY, of=shipment.carrier_id)
    return actor.require(Capability.DEAL_BUY, of=shipment.deal.buyer_id)


def _link(
    shipment: Shipment,
    sequence: int,
    giver: int,
    taker: int,
    mass_kg: Decimal,
    actor: Actor,
    *,
    now: datetime,
) -> Handover:
    before = shipment.handovers.order_by("-sequence").first()
    row = Handover(
        shipment=shipment,
        sequence=sequence,
        from_organisation_id=giver,
        to_organisation_id=taker,
        mass_kg=to_the_gram(mass_kg),
        confirmed_by_id=actor.user_id,  # type: ignore[misc]  # who acts for an organisation is a user
        handed_at=now,
        previous_sha256=before.sha256 if before else "",
    )
    row.sha256 = rules.fingerprint(queries.link_of(row))
    return row


def _hash(shipment: Shipment, sequence: int, code: str) -> str:
    """Six digits are quickly guessed from a bare hash, so the house's secret goes in."""
    salt = f"handover:{shipment.pk}:{sequence}"
    return salted_hmac(salt, code, algorithm="sha256").hexdigest()
