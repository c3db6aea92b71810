"""Deals from signature to money, carriers' offers and rate cards, shipments and their hand-overs."""

from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from django.http import FileResponse, Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext_lazy as lazy
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field, inline_serializer
from rest_framework import generics, parsers, serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.accounts.models import Licence
from marketplace.deals import queries, services
from marketplace.deals.models import Deal, Dispute, Weighing
from marketplace.freight import services as freight
from marketplace.freight.models import FreightQuote, QuoteRound, RateCard
from marketplace.logistics import services as logistics
from marketplace.logistics.models import Handover, Shipment, TransportDocument

from .http import ActorRequest, RequestIdIn

KG: dict[str, Any] = {"max_digits": 10, "decimal_places": 3}
MONEY: dict[str, Any] = {"max_digits": 14, "decimal_places": 2}
NOTE: dict[str, Any] = {"max_length": 1000, "required": False, "allow_blank": True, "default": ""}


# --- what comes in and goes out ---------------------------------------------------------------------


class DealOut(serializers.ModelSerializer[Deal]):
    """A deal as its two sides see it. ``next`` is what happens next; ``my_turn`` whether it is up to who asks."""

    next = serializers.SerializerMethodField()
    my_turn = serializers.SerializerMethodField()
    held = serializers.SerializerMethodField()

    class Meta:
        model = Deal
        fields = [
            "id",
            "lot",
            "award",
            "seller",
            "buyer",
            "carrier",
            "licence",
            "status",
            "next",
            "my_turn",
            "currency",
            "price",
            "price_cap",
            "final_price",
            "paid_out",
            "held",
            "declared_kg",
            "accepted_kg",
            "proposed_kg",
            "proposed_price",
            "tolerance_share",
            "terms",
            "terms_sha256",
            "sign_by",
            "pay_by",
            "decide_by",
            "seller_signed_at",
            "buyer_signed_at",
            "cancel_asked_by",
            "reason_code",
            "reason",
            "opened_at",
            "settled_at",
        ]

    def get_next(self, deal: Deal) -> str:
        return self._turn(deal)[0]

    def get_my_turn(self, deal: Deal) -> bool:
        return self._turn(deal)[1]

    @extend_schema_field(serializers.DecimalField(**MONEY))
    def get_held(self, deal: Deal) -> str:
        return f"{queries.held(deal):.2f}"

    def _turn(self, deal: Deal) -> tuple[str, bool]:
        actor = self.context["request"].actor
        open_ones = [row for row in deal.disputes.all() if row.ended_at is None]
        dispute = open_ones[0] if open_ones else None
        ranked = FreightQuote.objects.visible_to(actor).filter(
            round__purpose=f"deal:{deal.pk}", status=FreightQuote.Status.RECEIVED, rank__gt=0
        )
        return queries.turn(
            deal,
            queries.side_of(deal, actor),
            dispute=dispute,
            has_offers=deal.status == Deal.Status.FUNDED and ranked.exists(),
        )


class DealRow(serializers.ModelSerializer[Deal]):
    """A deal in a list."""

    class Meta:
        model = Deal
        fields = [
            "id",
            "lot",
            "seller",
            "buyer",
            "carrier",
            "status",
            "currency",
            "price",
            "final_price",
            "declared_kg",
            "accepted_kg",
            "opened_at",
            "settled_at",
        ]


class SignatureIn(serializers.Serializer[Any]):
    terms_sha256 = serializers.CharField(
        max_length=64,
        help_text="Of the terms that you read: the contract is signed only if it fits.",
    )


class WeighingIn(RequestIdIn):
    stage = serializers.ChoiceField(choices=Weighing.Stage.choices)
    gross_kg = serializers.DecimalField(**KG)
    tare_kg = serializers.DecimalField(**KG)
    photo = serializers.FileField(required=False)


class WeighingOut(serializers.ModelSerializer[Weighing]):
    class Meta:
        model = Weighing
        fields = [
            "id",
            "stage",
            "gross_kg",
            "tare_kg",
            "net_kg",
            "weighed_for",
            "weighed_at",
            "request_id",
        ]


class PartIn(serializers.Serializer[Any]):
    accepted_kg = serializers.DecimalField(**KG)
    reason = serializers.ChoiceField(choices=Deal.ReasonCode.choices)
    note = serializers.CharField(**NOTE)


class RejectionIn(serializers.Serializer[Any]):
    reason = serializers.ChoiceField(choices=Deal.ReasonCode.choices)
    note = serializers.CharField(**NOTE)


class CancellationIn(serializers.Serializer[Any]):
    reason = serializers.CharField(**NOTE)


class DisputeIn(serializers.Serializer[Any]):
    about = serializers.ChoiceField(choices=Dispute.About.choices)
    statement = serializers.CharField(max_length=2000)


class DisputeOut(serializers.ModelSerializer[Dispute]):
    class Meta:
        model = Dispute
        fields = [
            "id",
            "deal",
            "about",
            "status",
            "opened_by",
            "statement",
            "undisputed_price",
            "proposed_kg",
            "proposed_price",
            "agreed_by_seller",
            "agreed_by_buyer",
            "decision",
            "opened_at",
            "ended_at",
        ]


class VerdictIn(serializers.Serializer[Any]):
    accepted_kg = serializers.DecimalField(**KG)
    price = serializers.DecimalField(**MONEY)
    decision = serializers.CharField(max_length=2000)


class QuoteOut(serializers.ModelSerializer[FreightQuote]):
    """A carrier's offer. The price is in ``currency``; rank 1 is the best."""

    currency = serializers.CharField(source="round.currency")
    purpose = serializers.CharField(source="round.purpose")
    distance_km = serializers.DecimalField(
        source="round.distance_km", max_digits=8, decimal_places=1
    )
    mass_kg = serializers.DecimalField(source="round.mass_kg", **KG)
    deadline = serializers.DateTimeField(source="round.deadline")
    round_status = serializers.ChoiceField(source="round.status", choices=QuoteRound.Status.choices)

    class Meta:
        model = FreightQuote
        fields = [
            "id",
            "purpose",
            "carrier",
            "status",
            "price",
            "currency",
            "parts",
            "rank",
            "pickup_on",
            "distance_km",
            "mass_kg",
            "deadline",
            "round_status",
            "answered_at",
        ]


class AnswerIn(serializers.Serializer[Any]):
    price = serializers.DecimalField(max_digits=12, decimal_places=2)
    pickup_on = serializers.DateField()


class RateCardIn(RequestIdIn):
    licence = serializers.IntegerField()
    name = serializers.CharField(max_length=80)
    currency = serializers.RegexField("^[A-Z]{3}$")
    base = serializers.DecimalField(max_digits=12, decimal_places=2)
    per_km = serializers.DecimalField(max_digits=10, decimal_places=4)
    per_kg = serializers.DecimalField(max_digits=10, decimal_places=4)
    dangerous_goods_share = serializers.DecimalField(
        max_digits=4, decimal_places=3, default=Decimal(0), help_text="0.15 is 15 percent more."
    )
    countries = serializers.ListField(child=serializers.RegexField("^[A-Z]{2}$"), max_length=40)
    centre_latitude = serializers.DecimalField(
        max_digits=5, decimal_places=2, min_value=Decimal(-90), max_value=Decimal(90)
    )
    centre_longitude = serializers.DecimalField(
        max_digits=5, decimal_places=2, min_value=Decimal(-180), max_value=Decimal(180)
    )
    radius_km = serializers.IntegerField(max_value=20_000)
    capacity_kg = serializers.DecimalField(**KG)
    answers_itself = serializers.BooleanField(default=True)


class RateCardOut(serializers.ModelSerializer[RateCard]):
    class Meta:
        model = RateCard
        fields = [
            "id",
            "licence",
            "name",
            "currency",
            "base",
            "per_km",
            "per_kg",
            "dangerous_goods_share",
            "countries",
            "centre_latitude",
            "centre_longitude",
            "radius_km",
            "capacity_kg",
            "answers_itself",
            "active",
            "created_at",
            "request_id",
        ]


class HandoverOut(serializers.ModelSerializer[Handover]):
    """A link of the chain: ``previous_sha256`` is the fingerprint of the link before."""

    class Meta:
        model = Handover
        fields = [
            "id",
            "sequence",
            "from_organisation",
            "to_organisation",
            "mass_kg",
            "handed_at",
            "previous_sha256",
            "sha256",
            "request_id",
        ]


class PaperOut(serializers.ModelSerializer[TransportDocument]):
    class Meta:
        model = TransportDocument
        fields = ["id", "kind", "language", "content_sha256", "rendered_at"]


class ShipmentOut(serializers.ModelSerializer[Shipment]):
    un_number = serializers.CharField(source="classification.un_number")
    proper_shipping_name = serializers.CharField(source="classification.proper_shipping_name")
    packing_instruction = serializers.CharField(source="classification.packing_instruction")
    refusal = serializers.CharField(source="classification.refusal")
    documents = PaperOut(many=True)
    handovers = HandoverOut(many=True)

    class Meta:
        model = Shipment
        fields = [
            "id",
            "deal",
            "carrier",
            "status",
            "un_number",
            "proper_shipping_name",
            "packing_instruction",
            "refusal",
            "planned_at",
            "booked_at",
            "documents",
            "handovers",
        ]


class HandoverIn(RequestIdIn):
    code = serializers.CharField(max_length=12)
    mass_kg = serializers.DecimalField(
        **KG, required=False, help_text="Needed at pick-up, unless it was weighed there."
    )


CodeOut = inline_serializer("HandoverCode", {"code": serializers.CharField()})


# --- deals ------------------------------------------------------------------------------------------


class Deals(generics.ListAPIView[Deal]):
    """The deals of one's organisation, newest first."""

    request: ActorRequest
    serializer_class = DealRow

    def get_queryset(self) -> QuerySet[Deal]:
        return Deal.objects.visible_to(self.request.actor).with_contract(self.request.actor)


class OneDeal(APIView):
    """What all views of one deal share."""

    request: ActorRequest

    @extend_schema(responses=DealOut)
    def get(self, request: ActorRequest, pk: int) -> Response:
        """A deal with its contract."""
        return _shown(request, _deal(request, pk))


class DealAct(APIView):
    """Something that is done to one deal. Answers with the deal as it is then."""

    request: ActorRequest
    serializer_class: Any = None

    def read(self, request: ActorRequest) -> dict[str, Any]:
        said = self.serializer_class(data=request.data)
        said.is_valid(raise_exception=True)
        return dict(said.validated_data)


class Signature(DealAct):
    serializer_class = SignatureIn

    @extend_schema(request=SignatureIn, responses=DealOut)
    def post(self, request: ActorRequest, pk: int) -> Response:
        """Sign the contract for your side."""
        deal, said = _deal(request, pk), self.read(request)
        services.sign(
            deal, actor=request.actor, seen_sha256=said["terms_sha256"], now=timezone.now()
        )
        return _shown(request, _deal(request, pk))


class Funding(APIView):
    request: ActorRequest

    @extend_schema(request=RequestIdIn, responses=DealOut)
    def post(self, request: ActorRequest, pk: int) -> Response:
        """Hold the price safely until the goods are accepted. Asking again holds nothing more."""
        said = RequestIdIn(data=request.data)
        said.is_valid(raise_exception=True)
        services.fund(
            _deal(request, pk),
            actor=request.actor,
            request_id=said.request_id_for(request),
            now=timezone.now(),
        )
        return _shown(request, _deal(request, pk))


class Weighings(APIView):
    request: ActorRequest
    parser_classes = (parsers.JSONParser, parsers.MultiPartParser)

    @extend_schema(responses=WeighingOut(many=True))
    def get(self, request: ActorRequest, pk: int) -> Response:
        """What the scales said."""
        found = Weighing.objects.visible_to(request.actor).filter(deal=_load(request, pk))
        return Response(WeighingOut(found.order_by("pk"), many=True).data)

    @extend_schema(request=WeighingIn, responses={201: WeighingOut})
    def post(self, request: ActorRequest, pk: int) -> Response:
        """Write down what a scale shows. Net is gross less tare."""
        deal, said = _load(request, pk), WeighingIn(data=request.data)
        said.is_valid(raise_exception=True)
        data = dict(said.validated_data)
        data.pop("request_id", None)
        weighing = services.weigh(
            deal,
            actor=request.actor,
            request_id=said.request_id_for(request),
            now=timezone.now(),
            **data,
        )
        return Response(WeighingOut(weighing).data, status=201)


class Acceptance(APIView):
    request: ActorRequest

    @extend_schema(request=None, responses=DealOut)
    def post(self, request: ActorRequest, pk: int) -> Response:
        """Keep the goods; the seller is paid at once."""
        services.accept(_deal(request, pk), actor=request.actor, now=timezone.now())
        return _shown(request, _deal(request, pk))


class Adjustment(APIView):
    request: ActorRequest

    @extend_schema(request=None, responses=DealOut)
    def post(self, request: ActorRequest, pk: int) -> Response:
        """Propose the price that belongs to the weighed mass."""
        services.propose_adjustment(_deal(request, pk), actor=request.actor, now=timezone.now())
        return _shown(request, _deal(request, pk))


class AdjustmentAgreement(APIView):
    request: ActorRequest

    @extend_schema(request=None, responses=DealOut)
    def post(self, request: ActorRequest, pk: int) -> Response:
        """Agree to the corrected price; it is paid at once."""
        services.agree_adjustment(_deal(request, pk), actor=request.actor, now=timezone.now())
        return _shown(request, _deal(request, pk))


class PartAcceptance(DealAct):
    serializer_class = PartIn

    @extend_schema(request=PartIn, responses=DealOut)
    def post(self, request: ActorRequest, pk: int) -> Response:
        """Keep a part and pay for it; the rest goes back."""
        services.part_accept(
            _deal(request, pk), actor=request.actor, now=timezone.now(), **self.read(request)
        )
        return _shown(request, _deal(request, pk))


class Rejection(DealAct):
    serializer_class = RejectionIn

    @extend_schema(request=RejectionIn, responses=DealOut)
    def post(self, request: ActorRequest, pk: int) -> Response:
        """Keep nothing; the goods go back to the seller."""
        services.reject(
            _deal(request, pk), actor=request.actor, now=timezone.now(), **self.read(request)
        )
        return _shown(request, _deal(request, pk))


class ReturnReceipt(APIView):
    request: ActorRequest

    @extend_schema(request=None, responses=DealOut)
    def post(self, request: ActorRequest, pk: int) -> Response:
        """Confirm that rejected goods are back."""
        services.confirm_return(_deal(request, pk), actor=request.actor, now=timezone.now())
        return _shown(request, _deal(request, pk))


class Cancellation(DealAct):
    serializer_class = CancellationIn

    @extend_schema(request=CancellationIn, responses=DealOut)
    def post(self, request: ActorRequest, pk: int) -> Response:
        """Ask to call the deal off, or agree to it. It ends once both sides have."""
        services.cancel(
            _deal(request, pk), actor=request.actor, now=timezone.now(), **self.read(request)
        )
        return _shown(request, _deal(request, pk))


class Disputes(APIView):
    request: ActorRequest

    @extend_schema(responses=DisputeOut(many=True))
    def get(self, request: ActorRequest, pk: int) -> Response:
        """The disputes of a deal."""
        found = Dispute.objects.visible_to(request.actor).filter(deal=_deal(request, pk))
        return Response(DisputeOut(found.order_by("pk"), many=True).data)

    @extend_schema(request=DisputeIn, responses={201: DisputeOut})
    def post(self, request: ActorRequest, pk: int) -> Response:
        """Say that you do not agree. What nobody contests is paid at once; the rest stays held."""
        deal, said = _deal(request, pk), DisputeIn(data=request.data)
        said.is_valid(raise_exception=True)
        dispute = services.open_dispute(
            deal, actor=request.actor, now=timezone.now(), **said.validated_data
        )
        return Response(DisputeOut(dispute).data, status=201)


class DisputeAgreement(APIView):
    request: ActorRequest

    @extend_schema(request=None, responses=DisputeOut)
    def post(self, request: ActorRequest, pk: int) -> Response:
        """Agree to the proposal. It is carried out once both sides have."""
        dispute = services.agree_dispute(
            _dispute(request, pk), actor=request.actor, now=timezone.now()
        )
        return Response(DisputeOut(dispute).data)


class DisputeEscalation(APIView):
    request: ActorRequest

    @extend_schema(request=None, responses=DisputeOut)
    def post(self, request: ActorRequest, pk: int) -> Response:
        """Refuse the proposal: a verifier decides."""
        dispute = services.escalate(_dispute(request, pk), actor=request.actor, now=timezone.now())
        return Response(DisputeOut(dispute).data)


class DisputeDecision(APIView):
    request: ActorRequest

    @extend_schema(request=VerdictIn, responses=DisputeOut)
    def post(self, request: ActorRequest, pk: int) -> Response:
        """Decide by parts, as a verifier of neither side."""
        row, said = _dispute(request, pk), VerdictIn(data=request.data)
        said.is_valid(raise_exception=True)
        dispute = services.decide_dispute(
            row, actor=request.actor, now=timezone.now(), **said.validated_data
        )
        return Response(DisputeOut(dispute).data)


def _deal(request: ActorRequest, pk: int) -> Deal:
    """A deal whose contract the actor may read."""
    rows = Deal.objects.visible_to(request.actor).with_contract(request.actor)
    return get_object_or_404(rows.prefetch_related("weighings", "disputes"), pk=pk)


def _load(request: ActorRequest, pk: int) -> Deal:
    """A deal that the actor has to do with, be it only as its carrier."""
    return get_object_or_404(Deal.objects.visible_to(request.actor), pk=pk)


def _shown(request: ActorRequest, deal: Deal) -> Response:
    return Response(DealOut(deal, context={"request": request}).data)


def _dispute(request: ActorRequest, pk: int) -> Dispute:
    shown = Deal.objects.visible_to(request.actor).with_contract(request.actor)
    rows = Dispute.objects.visible_to(request.actor).filter(deal__in=shown)
    return get_object_or_404(rows.select_related("deal"), pk=pk)


# --- freight ----------------------------------------------------------------------------------------


class Quotes(generics.ListAPIView[FreightQuote]):
    """Offers that one asked for, and questions that one is asked as a carrier; newest first."""

    request: ActorRequest
    serializer_class = QuoteOut

    def get_queryset(self) -> QuerySet[FreightQuote]:
        return FreightQuote.objects.visible_to(self.request.actor).select_related("round")


class DealQuotes(APIView):
    request: ActorRequest

    @extend_schema(responses=QuoteOut(many=True))
    def get(self, request: ActorRequest, pk: int) -> Response:
        """The offers for one deal: the newest round, the best first. For the buyer, who chooses."""
        deal = _deal(request, pk)
        rounds = QuoteRound.objects.visible_to(request.actor).filter(purpose=f"deal:{deal.pk}")
        newest = rounds.order_by("-round_number").values("pk")[:1]
        quotes = FreightQuote.objects.visible_to(request.actor).filter(round__in=newest)
        found = quotes.select_related("round").order_by("rank", "pk")
        return Response(QuoteOut(found, many=True).data)


class Transport(APIView):
    request: ActorRequest

    @extend_schema(request=None, responses=DealOut)
    def post(self, request: ActorRequest, pk: int) -> Response:
        """Ask the carriers again, when nobody offered or no offer suits."""
        shipment = get_object_or_404(
            Shipment.objects.visible_to(request.actor), deal=_deal(request, pk)
        )
        logistics.request_transport(shipment, actor=request.actor, now=timezone.now())
        return _shown(request, _deal(request, pk))


class Choice(APIView):
    request: ActorRequest

    @extend_schema(request=None, responses=QuoteOut)
    def post(self, request: ActorRequest, pk: int) -> Response:
        """Choose this carrier."""
        quote = freight.choose_quote(_quote(request, pk), actor=request.actor, now=timezone.now())
        return Response(QuoteOut(quote).data)


class QuoteAnswer(APIView):
    request: ActorRequest

    @extend_schema(request=AnswerIn, responses=QuoteOut)
    def post(self, request: ActorRequest, pk: int) -> Response:
        """Say what the transport costs, in the currency of the question."""
        quote, said = _quote(request, pk), AnswerIn(data=request.data)
        said.is_valid(raise_exception=True)
        answered = freight.answer_quote(
            quote, actor=request.actor, now=timezone.now(), **said.validated_data
        )
        return Response(QuoteOut(answered).data)


class QuoteRefusal(APIView):
    request: ActorRequest

    @extend_schema(request=None, responses=QuoteOut)
    def post(self, request: ActorRequest, pk: int) -> Response:
        """Say no to this load."""
        quote = freight.decline_quote(_quote(request, pk), actor=request.actor, now=timezone.now())
        return Response(QuoteOut(quote).data)


def _quote(request: ActorRequest, pk: int) -> FreightQuote:
    rows = FreightQuote.objects.visible_to(request.actor).select_related("round")
    return get_object_or_404(rows, pk=pk)


class RateCards(generics.ListAPIView[RateCard]):
    """What one asks as a carrier; newest first."""

    request: ActorRequest
    serializer_class = RateCardOut

    def get_queryset(self) -> QuerySet[RateCard]:
        return RateCard.objects.visible_to(self.request.actor)

    @extend_schema(request=RateCardIn, responses={201: RateCardOut})
    def post(self, request: ActorRequest) -> Response:
        """Publish what you ask. From then on you are asked for every load that fits."""
        said = RateCardIn(data=request.data)
        said.is_valid(raise_exception=True)
        data = dict(said.validated_data)
        data.pop("request_id", None)
        held = Licence.objects.visible_to(request.actor).filter(pk=data.pop("licence")).first()
        if held is None or held.organisation_id != request.actor.organisation_id:
            raise serializers.ValidationError(
                {"licence": [lazy("Give the id of a licence of yours.")]}
            )
        card = freight.publish_rate_card(
            held,
            actor=request.actor,
            request_id=said.request_id_for(request),
            now=timezone.now(),
            **data,
        )
        return Response(RateCardOut(card).data, status=201)


class RateCardRetirement(APIView):
    request: ActorRequest

    @extend_schema(request=None, responses=RateCardOut)
    def post(self, request: ActorRequest, pk: int) -> Response:
        """Take a card off. What it has offered stands."""
        card = get_object_or_404(RateCard.objects.visible_to(request.actor), pk=pk)
        return Response(RateCardOut(freight.retire_rate_card(card, actor=request.actor)).data)


# --- shipments --------------------------------------------------------------------------------------


class Shipments(generics.ListAPIView[Shipment]):
    """The trips of one's deals, or that one carries; newest first."""

    request: ActorRequest
    serializer_class = ShipmentOut

    def get_queryset(self) -> QuerySet[Shipment]:
        return _shipments(self.request)


class OneShipment(APIView):
    request: ActorRequest

    @extend_schema(responses=ShipmentOut)
    def get(self, request: ActorRequest, pk: int) -> Response:
        """A trip with its papers and hand-overs."""
        return Response(ShipmentOut(get_object_or_404(_shipments(request), pk=pk)).data)


class HandoverCodes(APIView):
    request: ActorRequest

    @extend_schema(request=None, responses={201: CodeOut})
    def post(self, request: ActorRequest, pk: int) -> Response:
        """Make the code that whoever takes the goods from you has to give. It is shown this once."""
        shipment = get_object_or_404(_shipments(request), pk=pk)
        code = logistics.show_code(shipment, actor=request.actor, now=timezone.now())
        return Response({"code": code}, status=201)


class Handovers(APIView):
    request: ActorRequest

    @extend_schema(request=HandoverIn, responses={201: HandoverOut})
    def post(self, request: ActorRequest, pk: int) -> Response:
        """Take the goods over against the code. Sending it again counts once."""
        shipment = get_object_or_404(_shipments(request), pk=pk)
        said = HandoverIn(data=request.data)
        said.is_valid(raise_exception=True)
        handover = logistics.hand_over(
            shipment,
            actor=request.actor,
            code=said.validated_data["code"],
            mass_kg=said.validated_data.get("mass_kg"),
            request_id=said.request_id_for(request),
            now=timezone.now(),
        )
        return Response(HandoverOut(handover).data, status=201)


class Papers(APIView):
    request: ActorRequest

    @extend_schema(responses={(200, "application/pdf"): OpenApiTypes.BINARY})
    def get(self, request: ActorRequest, pk: int) -> FileResponse:
        """A paper that travels with the goods."""
        row = TransportDocument.objects.visible_to(request.actor).filter(pk=pk).first()
        if row is None:
            raise Http404
        return FileResponse(
            row.file.open(),
            as_attachment=True,
            filename=f"{row.kind.lower()}-{row.language}.pdf",
            content_type="application/pdf",
        )


def _shipments(request: ActorRequest) -> QuerySet[Shipment]:
    rows = Shipment.objects.visible_to(request.actor).select_related("classification", "deal")
    return rows.prefetch_related("documents", "handovers")
