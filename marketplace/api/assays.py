"""Deals by terms, for programs: assays sent and read, the umpire, and how the final price came about."""

from typing import Any

from django.http import FileResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import parsers, serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.deals import services
from marketplace.deals.models import Assay, Deal, Reckoning

from .http import ActorRequest, RequestIdIn

SHARE: dict[str, Any] = {"max_digits": 9, "decimal_places": 6}


class AssayIn(RequestIdIn):
    laboratory = serializers.CharField(max_length=120)
    sample = serializers.CharField(max_length=60, help_text="The number of the seal.")
    assayed_on = serializers.DateField()
    shares = serializers.DictField(
        child=serializers.DecimalField(**SHARE),
        help_text="Material to share of the dry mass: 0.13 is 13 %. Send as shares.Ni, shares.Co …",
    )
    certificate = serializers.FileField(help_text="PDF or photo.")


class AssayOut(serializers.ModelSerializer[Assay]):
    """What a laboratory found. The other side's shows once one's own is in, or can no longer come."""

    shares = serializers.SerializerMethodField()

    class Meta:
        model = Assay
        fields = [
            "id",
            "deal",
            "party",
            "laboratory",
            "sample",
            "assayed_on",
            "shares",
            "certificate_sha256",
            "sent_for",
            "sent_at",
            "request_id",
        ]

    @extend_schema_field(serializers.DictField(child=serializers.DecimalField(**SHARE)))
    def get_shares(self, assay: Assay) -> dict[str, str]:
        return {each.material: str(each.share) for each in assay.results.all()}


class ReckoningOut(serializers.ModelSerializer[Reckoning]):
    """How the final price comes about. ``due_by`` is until when this step may take; then the contract goes on."""

    provisional = serializers.DecimalField(source="deal.price", max_digits=14, decimal_places=2)
    price_cap = serializers.DecimalField(source="deal.price_cap", max_digits=14, decimal_places=2)
    final_price = serializers.DecimalField(
        source="deal.final_price", max_digits=14, decimal_places=2, allow_null=True
    )
    currency = serializers.CharField(source="deal.currency")
    due_by = serializers.DateTimeField(source="deal.decide_by", allow_null=True)
    statement = serializers.DictField(allow_null=True)

    class Meta:
        model = Reckoning
        fields = [
            "deal",
            "status",
            "provisional",
            "price_cap",
            "final_price",
            "currency",
            "due_by",
            "weighed_on",
            "agreed_to",
            "umpire_asked_by",
            "umpire_asked_at",
            "is_split_by_time",
            "statement",
            "done_at",
        ]


class Assays(APIView):
    request: ActorRequest
    parser_classes = (parsers.MultiPartParser,)

    @extend_schema(responses=AssayOut(many=True))
    def get(self, request: ActorRequest, pk: int) -> Response:
        """What the laboratories found, as far as one may read it now."""
        rows = Assay.objects.visible_to(request.actor).filter(deal=_deal(request, pk))
        found = rows.prefetch_related("results").order_by("pk")
        return Response(AssayOut(found, many=True).data)

    @extend_schema(request=AssayIn, responses={201: AssayOut})
    def post(self, request: ActorRequest, pk: int) -> Response:
        """Send what your laboratory found; a verifier sends the umpire's. Once for each side."""
        said = AssayIn(data=request.data)
        said.is_valid(raise_exception=True)
        asked = dict(said.validated_data)
        asked["request_id"] = said.request_id_for(request)
        sent = services.send_assay(
            _deal(request, pk), actor=request.actor, now=timezone.now(), **asked
        )
        return Response(AssayOut(sent).data, status=201)


class AssayAgreement(APIView):
    request: ActorRequest

    @extend_schema(request=None, responses=ReckoningOut)
    def post(self, request: ActorRequest, pk: int) -> Response:
        """Agree to the other side's assay: it counts alone. Also for a side that sends none."""
        deal = services.agree_assay(_deal(request, pk), actor=request.actor, now=timezone.now())
        return _reckoned(request, deal.pk)


class Umpire(APIView):
    request: ActorRequest

    @extend_schema(request=None, responses=ReckoningOut)
    def post(self, request: ActorRequest, pk: int) -> Response:
        """Ask for a third laboratory, because two assays differ by more than the contract splits."""
        deal = services.ask_umpire(_deal(request, pk), actor=request.actor, now=timezone.now())
        return _reckoned(request, deal.pk)


class OneReckoning(APIView):
    request: ActorRequest

    @extend_schema(responses=ReckoningOut)
    def get(self, request: ActorRequest, pk: int) -> Response:
        """How the final price of a deal by terms comes about; nothing before the goods are accepted."""
        return _reckoned(request, pk)


class Certificate(APIView):
    request: ActorRequest

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    def get(self, request: ActorRequest, pk: int) -> FileResponse:
        """The laboratory's certificate."""
        row = get_object_or_404(Assay.objects.visible_to(request.actor), pk=pk)
        suffix = row.certificate.name.rpartition(".")[2]
        return FileResponse(
            row.certificate.open(), as_attachment=True, filename=f"assay-{row.pk}.{suffix}"
        )


def _deal(request: ActorRequest, pk: int) -> Deal:
    rows = Deal.objects.visible_to(request.actor).with_contract(request.actor)
    return get_object_or_404(rows.select_related("seller", "buyer"), pk=pk)


def _reckoned(request: ActorRequest, pk: int) -> Response:
    rows = Reckoning.objects.visible_to(request.actor).select_related("deal")
    return Response(ReckoningOut(get_object_or_404(rows, deal=pk)).data)
