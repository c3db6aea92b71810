"""Lots: begin, photograph, answer, hand in; what they are worth, and how they travel."""

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import generics, parsers, serializers
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.accounts.actors import ANONYMOUS
from marketplace.compliance.models import Classification
from marketplace.compliance.queries import latest_classifications
from marketplace.lots import queries, services
from marketplace.lots.models import Lot, LotPhoto
from marketplace.pricing.models import Valuation
from marketplace.pricing.queries import explained, explained_flags, latest_valuation
from marketplace.reference.models import Chemistry

from .http import ActorRequest, RequestIdIn

COARSE = Decimal("0.1")
"""A position that strangers see: about ten kilometres."""
AMOUNT: dict[str, Any] = {"max_digits": 12, "decimal_places": 3, "required": False}


class LotIn(RequestIdIn):
    """A new lot needs nothing but an id that makes the request count once."""


class TriageIn(serializers.Serializer[Any]):
    """What the six pictograms ask: true if it was seen."""

    swollen = serializers.BooleanField()
    hot = serializers.BooleanField()
    wet = serializers.BooleanField()
    smell = serializers.BooleanField()
    dented = serializers.BooleanField()
    cut = serializers.BooleanField()


class AnswersIn(serializers.Serializer[Any]):
    """Any of the intake's answers. What is left out stays as it is; ``chemistry: null`` means "I do not know"."""

    origin = serializers.ChoiceField(choices=Lot.Origin.choices, required=False)
    chemistry = serializers.PrimaryKeyRelatedField(
        queryset=Chemistry.objects.visible_to(ANONYMOUS), allow_null=True, required=False
    )
    mass_kg = serializers.DecimalField(**AMOUNT)
    energy_kwh = serializers.DecimalField(**AMOUNT)
    units = serializers.IntegerField(required=False)
    state_of_health = serializers.DecimalField(max_digits=4, decimal_places=3, required=False)
    country = serializers.CharField(max_length=2, required=False)
    geoname_id = serializers.IntegerField(required=False)
    triage = TriageIn(required=False)


class PhotoIn(serializers.Serializer[Any]):
    photo = serializers.FileField()
    shows = serializers.ChoiceField(
        choices=LotPhoto.Shows.choices, default=LotPhoto.Shows.WHOLE.value
    )


class SubmitIn(serializers.Serializer[Any]):
    declared = serializers.BooleanField(
        help_text="True: I own these batteries or may sell them, and what I said is true."
    )

    def validate_declared(self, declared: bool) -> bool:
        if not declared:
            raise serializers.ValidationError(
                _("Declare that the batteries are yours to sell, and that what you said is true.")
            )
        return declared


class PhotoOut(serializers.ModelSerializer[LotPhoto]):
    class Meta:
        model = LotPhoto
        fields = ["id", "shows", "width", "height", "sha256"]


class LotOut(serializers.ModelSerializer[Lot]):
    """A lot. Only its seller sees the position to a kilometre; for others it is rounded to about ten."""

    seller = serializers.IntegerField(source="seller_id")
    chemistry = serializers.CharField(source="chemistry_id", allow_null=True)
    position = serializers.SerializerMethodField()
    triage_answers = serializers.DictField(child=serializers.BooleanField())
    photos = PhotoOut(many=True)
    request_id = serializers.SerializerMethodField()

    class Meta:
        model = Lot
        fields = [
            "id",
            "seller",
            "status",
            "origin",
            "chemistry",
            "chemistry_answered",
            "mass_kg",
            "mass_is_estimated",
            "energy_kwh",
            "units",
            "state_of_health",
            "country",
            "place",
            "position",
            "triage",
            "triage_answers",
            "question",
            "evidence_version",
            "created_at",
            "submitted_at",
            "photos",
            "request_id",
        ]

    def _is_mine(self, lot: Lot) -> bool:
        mine: bool = self.context["actor"].organisation_id == lot.seller_id
        return mine

    @extend_schema_field({"type": ["array", "null"], "items": {"type": "string"}})
    def get_position(self, lot: Lot) -> list[str] | None:
        if lot.latitude is None or lot.longitude is None:
            return None
        place = (lot.latitude, lot.longitude)
        if not self._is_mine(lot):
            place = (
                lot.latitude.quantize(COARSE, rounding=ROUND_HALF_EVEN),
                lot.longitude.quantize(COARSE, rounding=ROUND_HALF_EVEN),
            )
        return [str(degrees) for degrees in place]

    @extend_schema_field({"type": ["string", "null"], "format": "uuid"})
    def get_request_id(self, lot: Lot) -> str | None:
        return str(lot.request_id) if self._is_mine(lot) else None


class TermOut(serializers.Serializer[Any]):
    part = serializers.CharField(source="label")
    why = serializers.CharField()
    amount = serializers.DecimalField(max_digits=14, decimal_places=2)
    quoted_by = serializers.CharField(source="source")
    quoted_on = serializers.DateField(source="on", allow_null=True)


class RouteOut(serializers.Serializer[Any]):
    """One use of the lot, in the lot's currency; without amounts if ``barred`` says what keeps it from it."""

    route = serializers.ChoiceField(choices=Valuation.Route.choices)
    barred = serializers.ListField(child=serializers.CharField())
    low = serializers.CharField(required=False)
    typical = serializers.CharField(required=False)
    high = serializers.CharField(required=False)
    kept_kwh = serializers.CharField(required=False)
    avoided_co2_kg = serializers.CharField(required=False)


class EvidenceOut(serializers.Serializer[Any]):
    """Evidence that is missing, and what it is expected to do to the range."""

    code = serializers.CharField()
    raises_low_from = serializers.CharField()
    raises_low_to = serializers.CharField()
    raises_typical = serializers.CharField()
    narrows = serializers.CharField()


class OtherConventionOut(serializers.Serializer[Any]):
    """What recycling would pay by the pricing convention that the value is not by."""

    convention = serializers.CharField()
    low = serializers.CharField()
    typical = serializers.CharField()
    high = serializers.CharField()


class ValuationOut(serializers.ModelSerializer[Valuation]):
    """What a lot was thought to be worth: a range, and the sum that its typical value is."""

    terms = serializers.SerializerMethodField()
    flags = serializers.SerializerMethodField()
    routes = RouteOut(many=True)
    evidence = EvidenceOut(many=True)
    other_convention = OtherConventionOut(allow_null=True)

    class Meta:
        model = Valuation
        fields = [
            "id",
            "currency",
            "low",
            "typical",
            "high",
            "route",
            "because",
            "terms",
            "routes",
            "evidence",
            "other_convention",
            "flags",
            "quotes_on",
            "rules_version",
            "inputs_hash",
            "inputs",
            "valued_at",
        ]

    @extend_schema_field(TermOut(many=True))
    def get_terms(self, valuation: Valuation) -> Any:
        return TermOut(explained(valuation), many=True).data

    def get_flags(self, valuation: Valuation) -> list[str]:
        return explained_flags(valuation)


class ClassificationOut(serializers.ModelSerializer[Classification]):
    class Meta:
        model = Classification
        fields = [
            "mode",
            "verdict",
            "condition",
            "goods",
            "un_number",
            "proper_shipping_name",
            "packing_instruction",
            "special_provisions",
            "marks",
            "documents",
            "refusal",
            "rule_edition",
            "evidence_version",
            "classified_at",
        ]


class LotView(APIView):
    """What the views of one lot share: find it if the actor may see it, and show it."""

    request: ActorRequest

    def lot(self, pk: int) -> Lot:
        rows = Lot.objects.visible_to(self.request.actor).prefetch_related("photos")
        return get_object_or_404(rows, pk=pk)

    def shown(self, lot: Lot, *, status: int = 200) -> Response:
        fresh = self.lot(lot.pk)
        return Response(LotOut(fresh, context={"actor": self.request.actor}).data, status=status)


class Lots(generics.ListAPIView[Lot]):
    """One's own lots, and every lot that is or was for sale, newest first."""

    request: ActorRequest
    serializer_class = LotOut

    def get_queryset(self) -> QuerySet[Lot]:
        rows = Lot.objects.visible_to(self.request.actor).prefetch_related("photos")
        wanted = self.request.query_params
        if wanted.get("mine") == "true":
            rows = rows.filter(seller_id=self.request.actor.organisation_id)
        if wanted.get("status"):
            rows = rows.filter(status__in=wanted["status"].split(","))
        if wanted.get("chemistry"):
            rows = rows.filter(chemistry__in=wanted["chemistry"].split(","))
        return rows

    def get_permissions(self) -> list[Any]:
        return [AllowAny()] if self.request.method in ("GET", "HEAD") else [IsAuthenticated()]

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "actor": self.request.actor}

    @extend_schema(
        parameters=[
            OpenApiParameter("mine", OpenApiTypes.BOOL, description="Only one's own."),
            OpenApiParameter("status", OpenApiTypes.STR, description="One or several, by comma."),
            OpenApiParameter(
                "chemistry", OpenApiTypes.STR, description="One or several, by comma."
            ),
        ]
    )
    def get(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        request=LotIn,
        responses={201: LotOut},
        parameters=[OpenApiParameter("Idempotency-Key", OpenApiTypes.UUID, "header")],
    )
    def post(self, request: ActorRequest) -> Response:
        """Begin a lot. The same ``Idempotency-Key`` gives the same lot."""
        begun = LotIn(data=request.data)
        begun.is_valid(raise_exception=True)
        lot = services.start_lot(
            actor=request.actor, request_id=begun.request_id_for(request), now=timezone.now()
        )
        return Response(LotOut(lot, context=self.get_serializer_context()).data, status=201)


class OneLot(LotView):
    permission_classes = (AllowAny,)

    @extend_schema(responses=LotOut)
    def get(self, request: ActorRequest, pk: int) -> Response:
        """One lot."""
        return self.shown(self.lot(pk))


class Photos(LotView):
    """The photos of a lot: at most eight, without any metadata."""

    parser_classes = (parsers.MultiPartParser,)

    @extend_schema(request={"multipart/form-data": PhotoIn}, responses={201: PhotoOut})
    def post(self, request: ActorRequest, pk: int) -> Response:
        """Add a photo. The same photo counts once."""
        lot = self.lot(pk)
        sent = PhotoIn(data=request.data)
        sent.is_valid(raise_exception=True)
        photo = services.add_photo(
            lot,
            actor=request.actor,
            upload=sent.validated_data["photo"],
            shows=sent.validated_data["shows"],
            now=timezone.now(),
        )
        return Response(PhotoOut(photo).data, status=201)


class OnePhoto(LotView):
    @extend_schema(responses={(200, "image/jpeg"): OpenApiTypes.BINARY})
    def get(self, request: ActorRequest, pk: int, photo_pk: int) -> HttpResponse:
        """One photo as JPEG."""
        photo = get_object_or_404(self.lot(pk).photos.all(), pk=photo_pk)
        try:
            picture = queries.picture_of(photo, width=photo.width)
        except FileNotFoundError:
            raise Http404 from None
        return HttpResponse(picture, content_type="image/jpeg")

    @extend_schema(responses={204: None})
    def delete(self, request: ActorRequest, pk: int, photo_pk: int) -> Response:
        """Take a photo out."""
        photo = get_object_or_404(self.lot(pk).photos.all(), pk=photo_pk)
        services.remove_photo(photo, actor=request.actor, now=timezone.now())
        return Response(status=204)


class Answers(LotView):
    @extend_schema(request=AnswersIn, responses=LotOut)
    def patch(self, request: ActorRequest, pk: int) -> Response:
        """Answer questions of the intake, any of them, in any order. One that is refused leaves all as they were."""
        lot = self.lot(pk)
        sent = AnswersIn(data=request.data)
        sent.is_valid(raise_exception=True)
        answered = services.answer_together(
            lot, actor=request.actor, answers=sent.validated_data, now=timezone.now()
        )
        return self.shown(answered)


class Submission(LotView):
    @extend_schema(request=SubmitIn, responses=LotOut)
    def post(self, request: ActorRequest, pk: int) -> Response:
        """Declare the lot and hand it in. A valuation follows within seconds."""
        lot = self.lot(pk)
        sent = SubmitIn(data=request.data)
        sent.is_valid(raise_exception=True)
        return self.shown(services.declare_and_submit(lot, actor=request.actor, now=timezone.now()))


class LotWithdrawal(LotView):
    @extend_schema(request=None, responses=LotOut)
    def post(self, request: ActorRequest, pk: int) -> Response:
        """Withdraw a lot for good, while no auction runs on it."""
        lot = services.withdraw_lot(self.lot(pk), actor=request.actor, now=timezone.now())
        return self.shown(lot)


class LotValuation(LotView):
    permission_classes = (AllowAny,)

    @extend_schema(responses=ValuationOut)
    def get(self, request: ActorRequest, pk: int) -> Response:
        """The latest valuation, with its sum, its inputs and what makes it uncertain. 404 until there is one."""
        valuation = latest_valuation(self.lot(pk))
        if valuation is None:
            raise Http404
        return Response(ValuationOut(valuation).data)


class LotClassification(LotView):
    permission_classes = (AllowAny,)

    @extend_schema(responses=ClassificationOut(many=True))
    def get(self, request: ActorRequest, pk: int) -> Response:
        """How the lot must be packed, marked and papered by road, by sea and by air, or why it must not travel."""
        rows = latest_classifications(self.lot(pk))
        return Response(ClassificationOut(rows, many=True).data)
