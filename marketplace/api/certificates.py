"""Certificates: reports by processors, certificates for everybody, and checks of what people bring."""

from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from django.db.models import QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import generics, parsers, serializers
from rest_framework.permissions import AllowAny
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.certificates import queries, services
from marketplace.certificates.keys import KeyUnusable
from marketplace.certificates.models import Certificate, ProcessingReport, ReportOutput
from marketplace.certificates.queries import Checked
from marketplace.certificates.rules.mass_balance import Output
from marketplace.certificates.rules.signatures import MEDIA_TYPE
from marketplace.certificates.wording import Material
from marketplace.deals.models import Deal

from .errors import problem
from .http import ActorRequest, RequestIdIn

KG: dict[str, Any] = {"max_digits": 10, "decimal_places": 3}


class RawText(parsers.BaseParser):
    """A signed credential as the body itself."""

    media_type = MEDIA_TYPE

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        return {"raw": stream.read(queries.LARGEST_FILE + 1)}


class RawPdf(RawText):
    """A certificate on paper as the body itself."""

    media_type = "application/pdf"


class OutputIn(serializers.Serializer[Any]):
    material = serializers.ChoiceField(choices=Material.choices)
    mass_kg = serializers.DecimalField(**KG)
    units = serializers.IntegerField(required=False, allow_null=True)


class ReportIn(RequestIdIn):
    kind = serializers.ChoiceField(choices=ProcessingReport.Kind.choices)
    input_kg = serializers.DecimalField(**KG)
    outputs = serializers.ListField(child=OutputIn(), max_length=40)
    residue_kg = serializers.DecimalField(**KG)
    loss_kg = serializers.DecimalField(**KG)
    processed_on = serializers.DateField()
    note = serializers.CharField(max_length=1000, required=False, allow_blank=True, default="")


class OutputOut(serializers.ModelSerializer[ReportOutput]):
    class Meta:
        model = ReportOutput
        fields = ["material", "mass_kg", "units"]


class ReportOut(serializers.ModelSerializer[ProcessingReport]):
    outputs = OutputOut(many=True)
    certificate = serializers.SerializerMethodField()

    class Meta:
        model = ProcessingReport
        fields = [
            "id",
            "deal",
            "kind",
            "status",
            "refusal",
            "input_kg",
            "outputs",
            "residue_kg",
            "loss_kg",
            "processed_on",
            "note",
            "submitted_at",
            "request_id",
            "certificate",
        ]

    def get_certificate(self, report: ProcessingReport) -> str | None:
        found = getattr(report, "certificate", None)
        return found.code if found else None


class CertificateRow(serializers.ModelSerializer[Certificate]):
    """A certificate in a list."""

    url = serializers.SerializerMethodField()

    class Meta:
        model = Certificate
        fields = [
            "code",
            "status",
            "certified_kg",
            "recovered_share",
            "issued_at",
            "revoked_at",
            "sha256",
            "url",
        ]

    def get_url(self, certificate: Certificate) -> str:
        return _address("certificate", certificate.code)


CheckedOut = inline_serializer(
    "Checked",
    {
        "answer": serializers.ChoiceField(
            ["GENUINE", "WITHDRAWN", "ALTERED", "NOT_FOUND", "UNKNOWN_ISSUER"]
        ),
        "flaw": serializers.CharField(allow_null=True),
        "code": serializers.CharField(),
        "letters": serializers.CharField(),
        "withdrawn_at": serializers.DateTimeField(allow_null=True),
        "withdrawal_reason": serializers.CharField(),
        "facts": serializers.DictField(allow_null=True),
        "links": serializers.DictField(),
    },
)


class ProcessingReports(APIView):
    """What came out of the batteries of a deal."""

    request: ActorRequest

    @extend_schema(request=ReportIn, responses={201: ReportOut})
    def post(self, request: ActorRequest, pk: int) -> Response:
        """Report what was recovered. If the kilograms agree, a certificate follows within seconds."""
        deal = get_object_or_404(Deal.objects.visible_to(request.actor), pk=pk)
        said = ReportIn(data=request.data)
        said.is_valid(raise_exception=True)
        data = dict(said.validated_data)
        data.pop("request_id", None)
        outputs = [
            Output(row["material"], row["mass_kg"], row.get("units")) for row in data.pop("outputs")
        ]
        report = services.report_processing(
            deal,
            actor=request.actor,
            outputs=outputs,
            request_id=said.request_id_for(request),
            now=timezone.now(),
            **data,
        )
        return Response(ReportOut(report).data, status=201)

    @extend_schema(responses=ReportOut(many=True))
    def get(self, request: ActorRequest, pk: int) -> Response:
        """The reports of a deal, newest first, with their certificates."""
        deal = get_object_or_404(Deal.objects.visible_to(request.actor), pk=pk)
        reports = ProcessingReport.objects.visible_to(request.actor).filter(deal=deal)
        found = reports.select_related("certificate").prefetch_related("outputs").order_by("-pk")
        return Response(ReportOut(found[:200], many=True).data)


class Certificates(generics.ListAPIView[Certificate]):
    """The certificates of one's own deals, newest first."""

    request: ActorRequest
    serializer_class = CertificateRow

    def get_queryset(self) -> QuerySet[Certificate]:
        return Certificate.objects.visible_to(self.request.actor)


class CertificateByCode(APIView):
    """One certificate, for everybody who has its code."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(responses=CheckedOut, auth=[])
    def get(self, request: ActorRequest, code: str) -> Response:
        """Check a certificate by its code: what it says, whether it stands, where its signed bytes are."""
        try:
            checked = queries.check_code(code)
        except KeyUnusable as refusal:
            return problem(503, refusal.code, refusal.message)
        if checked.certificate is None:
            raise Http404
        return Response(_shown(checked))


class Verify(APIView):
    """Is this file one of our certificates, unchanged and still standing?"""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    parser_classes = (parsers.JSONParser, parsers.MultiPartParser, RawText, RawPdf)

    @extend_schema(
        request={
            "application/json": inline_serializer(
                "CredentialIn", {"credential": serializers.CharField()}
            ),
            "multipart/form-data": inline_serializer("FileIn", {"file": serializers.FileField()}),
            MEDIA_TYPE: OpenApiTypes.STR,
            "application/pdf": OpenApiTypes.BINARY,
        },
        responses=CheckedOut,
        auth=[],
    )
    def post(self, request: ActorRequest) -> Response:
        """Check a credential: as JSON ``{"credential": "eyJ…"}``, as an uploaded ``file``, or as the body itself."""
        if int(request.META.get("CONTENT_LENGTH") or 0) > 2 * queries.LARGEST_FILE:
            # Before anything is parsed: JSON has no other bound.
            return problem(413, "too_large", _("Certificates of ours are smaller than 1 MB."))
        content = _content(request)
        try:
            checked = queries.check_file(content)
        except KeyUnusable as refusal:
            return problem(503, refusal.code, refusal.message)
        return Response(_shown(checked))


def _content(request: ActorRequest) -> bytes:
    data = request.data
    brought = data.get("file") or data.get("credential") or data.get("raw") if data else None
    if isinstance(brought, str):
        return brought.encode()
    if isinstance(brought, bytes):
        return brought
    if brought is not None and hasattr(brought, "chunks"):
        content: bytes = brought.read(queries.LARGEST_FILE + 1)
        return content
    raise serializers.ValidationError(
        {"credential": [_("Send the signed text as credential, or the file as file.")]}
    )


def _address(name: str, *arguments: Any) -> str:
    return f"{settings.SITE_URL}{reverse(name, args=arguments)}"


def _shown(checked: Checked) -> dict[str, Any]:
    found, facts = checked.certificate, checked.facts
    links = {}
    if found:
        links = {
            "page": _address("certificate", found.code),
            "credential": _address("certificate-credential", found.code),
            "paper": _address("certificate-paper", found.code),
            "status_list": _address("status-list", found.status_list_id),
        }
    return {
        "answer": checked.answer,
        "flaw": checked.flaw,
        "code": checked.code,
        "letters": checked.letters,
        "withdrawn_at": found.revoked_at if found else None,
        "withdrawal_reason": found.revocation_reason if found else "",
        "facts": facts and _facts(facts),
        "links": links,
    }


def _facts(facts: Any) -> dict[str, Any]:
    said = {**vars(facts), "outputs": [vars(output) for output in facts.outputs]}
    masses = ("input_kg", "residue_kg", "loss_kg", "recovered_share")
    return {
        **said,
        **{name: str(said[name]) for name in masses},
        "outputs": [{**row, "mass_kg": str(row["mass_kg"])} for row in said["outputs"]],
    }
