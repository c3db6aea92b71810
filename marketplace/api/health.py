"""The health of a lot: its claims, one more by words, or by a test file."""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import generics, parsers, serializers
from rest_framework.response import Response

from marketplace.accounts.actors import ANONYMOUS
from marketplace.deals import services as deals
from marketplace.lots import services
from marketplace.lots.models import HealthClaim
from marketplace.lots.rules import health as rules
from marketplace.lots.rules.test_results import Said

from .http import ActorRequest
from .lots import LotView


class HealthClaimOut(serializers.ModelSerializer[HealthClaim]):
    """What somebody measured. Claims of another ``basis`` or ``level`` speak of other things: do not subtract them."""

    tested_by = serializers.IntegerField(source="tested_by_id")
    doubts = serializers.ListField(child=serializers.CharField())
    believed = serializers.SerializerMethodField()
    details = serializers.DictField()

    class Meta:
        model = HealthClaim
        fields = [
            "id",
            "value",
            "uncertainty",
            "basis",
            "level",
            "method",
            "instrument",
            "temperature_c",
            "window",
            "tested_at",
            "tested_by",
            "file_sha256",
            "details",
            "doubts",
            "believed",
            "added_at",
        ]

    def get_believed(self, claim: HealthClaim) -> bool:
        return rules.believed(claim.doubts)


class HealthClaimIn(serializers.Serializer[Any]):
    """A claim without its file. Shares, not per cent: 80 % is 0.80."""

    value = serializers.DecimalField(max_digits=9, decimal_places=4)
    uncertainty = serializers.DecimalField(
        max_digits=5, decimal_places=4, help_text="Half the width of its 10 to 90 % band, a share."
    )
    basis = serializers.ChoiceField(choices=HealthClaim.Basis.choices)
    level = serializers.ChoiceField(choices=HealthClaim.Level.choices)
    method = serializers.ChoiceField(
        choices=[
            choice
            for choice in HealthClaim.Method.choices
            if choice[0] != HealthClaim.Method.PASSPORT
        ]
    )
    instrument = serializers.CharField(max_length=100, required=False)
    temperature_c = serializers.DecimalField(max_digits=4, decimal_places=1, required=False)
    window = serializers.CharField(max_length=60, required=False)
    tested_at = serializers.DateTimeField(required=False)


class HealthFileIn(serializers.Serializer[Any]):
    """A test file, and what it does not say itself; see the page on test data for what is read."""

    file = serializers.FileField()
    test = serializers.ChoiceField(choices=["capacity", "pulse"], required=False)
    level = serializers.ChoiceField(choices=HealthClaim.Level.choices, required=False)
    rated_ah = serializers.FloatField(required=False)
    rated_wh = serializers.FloatField(required=False)
    rated_ohm = serializers.FloatField(required=False)
    low_v = serializers.FloatField(required=False)
    high_v = serializers.FloatField(required=False)
    cells_in_series = serializers.IntegerField(required=False, min_value=1, max_value=9999)
    temperature_c = serializers.FloatField(required=False)
    charged_fully = serializers.BooleanField(required=False)
    instrument = serializers.CharField(max_length=100, required=False)
    tested_on = serializers.DateField(required=False)

    def said(self) -> Said:
        """Return what stands beside the file."""
        given = {name: value for name, value in self.validated_data.items() if name != "file"}
        given["tested"] = given.pop("level", "")
        if "tested_on" in given:
            given["tested_on"] = given["tested_on"].isoformat()
        return Said(**given)


class HealthClaims(LotView, generics.ListAPIView[HealthClaim]):
    """What is known of a lot's health, newest first."""

    serializer_class = HealthClaimOut

    def get_queryset(self) -> QuerySet[HealthClaim]:
        if getattr(self, "swagger_fake_view", False):
            return HealthClaim.objects.visible_to(ANONYMOUS).none()
        lot = self.lot(self.kwargs["pk"])
        return HealthClaim.objects.visible_to(self.request.actor).filter(lot=lot)

    @extend_schema(request=HealthClaimIn, responses={201: HealthClaimOut})
    def post(self, request: ActorRequest, pk: int) -> Response:
        """Say a health: the seller's claim, or after delivery what the buyer found. The same words count once."""
        lot = self.lot(pk)
        sent = HealthClaimIn(data=request.data)
        sent.is_valid(raise_exception=True)
        is_mine = lot.seller_id == request.actor.organisation_id
        record = services.record_health_claim if is_mine else deals.record_found_health
        claim = record(lot, actor=request.actor, now=timezone.now(), **sent.validated_data)
        return Response(HealthClaimOut(claim).data, status=201)


class HealthFiles(LotView):
    """Test files are read at once, whole or not at all; the claims are kept, the file is not, but for its checksum."""

    parser_classes = (parsers.MultiPartParser,)

    @extend_schema(
        request={"multipart/form-data": HealthFileIn}, responses={201: HealthClaimOut(many=True)}
    )
    def post(self, request: ActorRequest, pk: int) -> Response:
        """Read a test file. The same file counts once."""
        lot = self.lot(pk)
        sent = HealthFileIn(data=request.data)
        sent.is_valid(raise_exception=True)
        is_mine = lot.seller_id == request.actor.organisation_id
        record = services.record_test_file if is_mine else deals.record_found_test
        claims = record(
            lot,
            actor=request.actor,
            upload=sent.validated_data["file"],
            said=sent.said(),
            now=timezone.now(),
        )
        return Response(HealthClaimOut(claims, many=True).data, status=201)
