"""Codes and battery passports of a lot."""

from typing import IO, Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import parsers, serializers
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.response import Response

from marketplace.lots import services
from marketplace.lots.models import LotIdentifier, LotPassport
from marketplace.lots.rules.passports import LARGEST_BYTES

from .http import ActorRequest
from .lots import LotView

MOST_AT_ONCE = 500


class IdentifiersIn(serializers.Serializer[Any]):
    """Codes as they are printed or scanned. One that is refused leaves all of them out."""

    codes = serializers.ListField(
        child=serializers.CharField(max_length=2000), min_length=1, max_length=MOST_AT_ONCE
    )
    read = serializers.ChoiceField(choices=["TYPED", "CAMERA"], default="TYPED")


class IdentifierOut(serializers.ModelSerializer[LotIdentifier]):
    """A code. Who is not logged in sees only its last four letters."""

    value = serializers.SerializerMethodField("shown_value")
    told = serializers.SerializerMethodField()
    doubts = serializers.ListField(child=serializers.CharField())

    class Meta:
        model = LotIdentifier
        fields = ["id", "scheme", "value", "told", "doubts", "read", "photo", "added_at"]

    def shown_value(self, row: LotIdentifier) -> str:
        return row.value_for(self.context["actor"])

    @extend_schema_field({"type": "object", "additionalProperties": {"type": "string"}})
    def get_told(self, row: LotIdentifier) -> dict[str, str]:
        return row.told_for(self.context["actor"])


class PassportDoubtOut(serializers.Serializer[Any]):
    """Something that was kept and not believed, or believed less."""

    field = serializers.CharField()
    code = serializers.CharField()
    value = serializers.CharField()


class PassportOut(serializers.ModelSerializer[LotPassport]):
    """A passport as we understand it: ``read`` has each field with value, unit, time, path and whether we believe it."""

    read = serializers.SerializerMethodField()
    doubts = serializers.SerializerMethodField()

    class Meta:
        model = LotPassport
        fields = [
            "id",
            "format",
            "edition",
            "sha256",
            "read",
            "doubts",
            "as_of",
            "signature",
            "signed_by",
            "added_at",
        ]

    @extend_schema_field({"type": "object", "additionalProperties": {"type": "object"}})
    def get_read(self, row: LotPassport) -> Any:
        return row.read

    @extend_schema_field(PassportDoubtOut(many=True))
    def get_doubts(self, row: LotPassport) -> Any:
        return row.doubts


class AsItIs(parsers.BaseParser):
    """The body is the passport: its bytes count, so nothing may read and rewrite them first."""

    media_type = "*/*"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Any = None
    ) -> dict[str, Any]:
        return {"passport": stream.read(LARGEST_BYTES + 1)}


class Identifiers(LotView):
    def get_permissions(self) -> list[Any]:
        return [AllowAny()] if self.request.method in ("GET", "HEAD") else [IsAuthenticated()]

    def _shown(self, rows: Any, *, status: int = 200) -> Response:
        context = {"actor": self.request.actor}
        return Response(IdentifierOut(rows, many=True, context=context).data, status=status)

    @extend_schema(responses=IdentifierOut(many=True))
    def get(self, request: ActorRequest, pk: int) -> Response:
        """The codes on a lot, what each says, and what about it is doubtful. At most 500."""
        rows = LotIdentifier.objects.visible_to(request.actor).filter(lot=self.lot(pk))
        return self._shown(rows.order_by("pk"))

    @extend_schema(request=IdentifiersIn, responses={201: IdentifierOut(many=True)})
    def post(self, request: ActorRequest, pk: int) -> Response:
        """Add codes. A code that is there already counts once."""
        lot = self.lot(pk)
        sent = IdentifiersIn(data=request.data)
        sent.is_valid(raise_exception=True)
        kept = services.add_identifiers(
            lot,
            actor=request.actor,
            texts=sent.validated_data["codes"],
            read=sent.validated_data["read"],
            now=timezone.now(),
        )
        return self._shown(kept, status=201)


class Passports(LotView):
    parser_classes = (parsers.MultiPartParser, AsItIs)

    @extend_schema(responses=PassportOut(many=True))
    def get(self, request: ActorRequest, pk: int) -> Response:
        """The battery passports of a lot, for its seller and for organisations with a verified licence."""
        rows = LotPassport.objects.visible_to(request.actor).filter(lot=self.lot(pk))
        return Response(PassportOut(rows.defer("original").order_by("-pk"), many=True).data)

    @extend_schema(
        request={
            "application/json": OpenApiTypes.OBJECT,
            "multipart/form-data": {
                "type": "object",
                "properties": {"passport": {"type": "string", "format": "binary"}},
                "required": ["passport"],
            },
        },
        responses={201: PassportOut},
    )
    def post(self, request: ActorRequest, pk: int) -> Response:
        """Add a passport: as the body itself, or as the file ``passport`` of a form. The same passport counts once."""
        lot = self.lot(pk)
        given = request.data.get("passport")
        if given is None or isinstance(given, str):
            raise serializers.ValidationError(
                {"passport": [_("Send the passport as the body, or as a file named passport.")]}
            )
        kept = services.import_passport(lot, actor=request.actor, given=given, now=timezone.now())
        return Response(PassportOut(kept).data, status=201)


class OnePassport(LotView):
    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: ActorRequest, pk: int, passport_pk: int) -> Response:
        """A passport as it was given, as JSON."""
        rows = LotPassport.objects.visible_to(request.actor).filter(lot=self.lot(pk))
        return Response(get_object_or_404(rows, pk=passport_pk).original)
