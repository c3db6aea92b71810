"""People, organisations, licences, keys and messages."""

from typing import Any, cast

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import generics, parsers, serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.accounts import rules, services
from marketplace.accounts.actors import ANONYMOUS
from marketplace.accounts.capabilities import Role
from marketplace.accounts.models import ApiToken, Licence, LicenceCheck, Organisation, User
from marketplace.accounts.queries import mass_left_kg
from marketplace.notifications import services as notifications
from marketplace.notifications.models import Notice
from marketplace.notifications.wording import sentence
from marketplace.reference.models import Chemistry, LicenceType

from .http import ActorRequest, RequestIdIn

# --- who am I -------------------------------------------------------------------------------------


class OrganisationOut(serializers.ModelSerializer[Organisation]):
    """Who is on the market. Tax numbers stay with their owner."""

    class Meta:
        model = Organisation
        fields = ["id", "name", "country", "place", "currency", "tier", "status"]


class MeOut(serializers.Serializer[Any]):
    """Who asks, for whom they act, and what they may do there."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    email = serializers.EmailField(allow_null=True)
    phone = serializers.CharField(allow_null=True)
    language = serializers.CharField()
    acts_for = OrganisationOut(allow_null=True)
    roles = serializers.ListField(child=serializers.ChoiceField(choices=Role.choices))
    capabilities = serializers.ListField(child=serializers.CharField())
    organisations = OrganisationOut(many=True)


class Me(APIView):
    request: ActorRequest

    @extend_schema(responses=MeOut)
    def get(self, request: ActorRequest) -> Response:
        """Who asks, for whom they act, and what they may do there."""
        actor = request.actor
        user = cast(User, request.user)
        mine = list(Organisation.objects.visible_to(actor).of_user(user.pk).order_by("pk"))
        current = next((row for row in mine if row.pk == actor.organisation_id), None)
        out = {
            "id": user.pk,
            "name": user.name,
            "email": user.email,
            "phone": user.phone,
            "language": user.language,
            "acts_for": current,
            "roles": sorted(actor.roles),
            "capabilities": sorted(actor.capabilities),
            "organisations": mine,
        }
        return Response(MeOut(out).data)


class OrganisationIn(RequestIdIn):
    """A new organisation, whose first member is who asks. No tax number is needed."""

    name = serializers.CharField(max_length=200)
    role = serializers.ChoiceField(choices=sorted(services.SELF_CHOSEN_ROLES))
    country = serializers.CharField(max_length=2)
    geoname_id = serializers.IntegerField(required=False, allow_null=True, default=None)
    currency = serializers.CharField(max_length=3, required=False, allow_null=True, default=None)
    tax_number = serializers.CharField(max_length=40, required=False, allow_blank=True, default="")


class Organisations(generics.ListAPIView[Organisation]):
    """Everybody on the market."""

    request: ActorRequest
    serializer_class = OrganisationOut

    def get_queryset(self) -> QuerySet[Organisation]:
        return Organisation.objects.visible_to(self.request.actor)

    @extend_schema(request=OrganisationIn, responses={201: OrganisationOut})
    def post(self, request: ActorRequest) -> Response:
        """Open an organisation. The same request id returns the same one."""
        body = OrganisationIn(data=request.data)
        body.is_valid(raise_exception=True)
        fields = dict(body.validated_data)
        fields["request_id"] = body.request_id_for(request)
        founded = services.found_organisation(actor=request.actor, now=timezone.now(), **fields)
        return Response(OrganisationOut(founded).data, status=201)


# --- licences -------------------------------------------------------------------------------------


class CheckOut(serializers.ModelSerializer[LicenceCheck]):
    class Meta:
        model = LicenceCheck
        fields = ["field", "matches", "note", "checked_at"]


class LicenceOut(serializers.ModelSerializer[Licence]):
    """A licence, what is left of its year, and why it stands where it stands."""

    organisation = serializers.IntegerField(source="organisation_id")
    licence_type = serializers.CharField(source="licence_type_id")
    document = serializers.IntegerField(source="document_id", allow_null=True)
    approvals = serializers.SerializerMethodField()
    mass_left_kg = serializers.SerializerMethodField()

    class Meta:
        model = Licence
        fields = [
            "id",
            "organisation",
            "licence_type",
            "number",
            "issuer",
            "country",
            "site_name",
            "site_place",
            "acts",
            "materials",
            "annual_mass_kg",
            "mass_left_kg",
            "valid_from",
            "valid_until",
            "finish_until",
            "document",
            "status",
            "reason",
            "submitted_at",
            "verified_at",
            "approvals",
            "request_id",
        ]

    def get_approvals(self, licence: Licence) -> int:
        return len(licence.approvals.all())

    @extend_schema_field(serializers.DecimalField(12, 3, allow_null=True))
    def get_mass_left_kg(self, licence: Licence) -> str | None:
        left: dict[int, Any] | None = self.context.get("left")
        if left is None:
            left = mass_left_kg([licence], timezone.now().year)
        kg = left.get(licence.pk)
        return None if kg is None else str(kg)


class LicenceIn(RequestIdIn):
    """An application, sent as a form with the scan of the paper under ``document``."""

    licence_type = serializers.PrimaryKeyRelatedField(
        queryset=LicenceType.objects.visible_to(ANONYMOUS)
    )
    number = serializers.CharField(max_length=80)
    issuer = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")
    site_name = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")
    site_geoname_id = serializers.IntegerField(required=False, allow_null=True, default=None)
    materials = serializers.PrimaryKeyRelatedField(
        queryset=Chemistry.objects.visible_to(ANONYMOUS), many=True, required=False, default=list
    )
    annual_mass_kg = serializers.DecimalField(
        max_digits=12, decimal_places=3, required=False, allow_null=True, default=None
    )
    valid_from = serializers.DateField()
    valid_until = serializers.DateField()
    document = serializers.FileField(required=False, allow_null=True, default=None)


class CheckIn(serializers.Serializer[Any]):
    field = serializers.ChoiceField(choices=rules.CHECKED_FIELDS)
    matches = serializers.BooleanField()
    note = serializers.CharField(max_length=300, required=False, allow_blank=True, default="")


class ReasonIn(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=2000, help_text="The applicant reads it.")


class Licences(generics.ListAPIView[Licence]):
    """One's own licences; for verifiers also those that were submitted."""

    request: ActorRequest
    serializer_class = LicenceOut
    parser_classes = (parsers.JSONParser, parsers.MultiPartParser, parsers.FormParser)

    def get_queryset(self) -> QuerySet[Licence]:
        return Licence.objects.visible_to(self.request.actor).prefetch_related("approvals")

    def list(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        rows = self.paginate_queryset(self.get_queryset()) or []
        left = mass_left_kg(rows, timezone.now().year)
        context = self.get_serializer_context() | {"left": left}
        return self.get_paginated_response(LicenceOut(rows, many=True, context=context).data)

    @extend_schema(request=LicenceIn, responses={201: LicenceOut})
    def post(self, request: ActorRequest) -> Response:
        """Apply for a licence to count here. The same request id returns the same one."""
        body = LicenceIn(data=request.data)
        body.is_valid(raise_exception=True)
        fields = dict(body.validated_data)
        fields["request_id"] = body.request_id_for(request)
        fields["upload"] = fields.pop("document")
        fields["materials"] = [chemistry.pk for chemistry in fields["materials"]]
        licence = services.apply_for_licence(actor=request.actor, now=timezone.now(), **fields)
        return Response(LicenceOut(licence).data, status=201)


class OneLicence(APIView):
    request: ActorRequest

    @extend_schema(responses=LicenceOut)
    def get(self, request: ActorRequest, pk: int) -> Response:
        """One licence."""
        return Response(LicenceOut(_licence(request, pk)).data)


class LicenceSubmission(APIView):
    @extend_schema(request=None, responses=LicenceOut)
    def post(self, request: ActorRequest, pk: int) -> Response:
        """Hand an application to the verifiers."""
        row = _licence(request, pk)
        licence = services.submit_licence(row, actor=request.actor, now=timezone.now())
        return Response(LicenceOut(licence).data)


class LicenceClaim(APIView):
    @extend_schema(request=None, responses=LicenceOut)
    def post(self, request: ActorRequest, pk: int) -> Response:
        """Take a licence on for 20 minutes."""
        row = _licence(request, pk)
        licence = services.claim_licence(row, actor=request.actor, now=timezone.now())
        return Response(LicenceOut(licence).data)


class LicenceChecks(APIView):
    @extend_schema(request=CheckIn, responses={201: CheckOut})
    def post(self, request: ActorRequest, pk: int) -> Response:
        """Say whether one field of a claimed licence agrees with its paper."""
        body = CheckIn(data=request.data)
        body.is_valid(raise_exception=True)
        check = services.check_field(
            _licence(request, pk), actor=request.actor, now=timezone.now(), **body.validated_data
        )
        return Response(CheckOut(check).data, status=201)


class LicenceApprovals(APIView):
    @extend_schema(request=None, responses={201: LicenceOut})
    def post(self, request: ActorRequest, pk: int) -> Response:
        """Give one of the two approvals."""
        row = _licence(request, pk)
        licence = services.approve_licence(row, actor=request.actor, now=timezone.now())
        return Response(LicenceOut(licence).data, status=201)


class LicenceRefusal(APIView):
    @extend_schema(request=ReasonIn, responses=LicenceOut)
    def post(self, request: ActorRequest, pk: int) -> Response:
        """Refuse a claimed licence for good."""
        licence = services.refuse_licence(
            _licence(request, pk), actor=request.actor, reason=_reason(request), now=timezone.now()
        )
        return Response(LicenceOut(licence).data)


class LicenceQuestion(APIView):
    @extend_schema(request=ReasonIn, responses=LicenceOut)
    def post(self, request: ActorRequest, pk: int) -> Response:
        """Give a claimed licence back to the applicant, and say what is missing."""
        licence = services.ask_for_info(
            _licence(request, pk), actor=request.actor, reason=_reason(request), now=timezone.now()
        )
        return Response(LicenceOut(licence).data)


class LicenceSuspension(APIView):
    @extend_schema(request=ReasonIn, responses=LicenceOut)
    def post(self, request: ActorRequest, pk: int) -> Response:
        """Stop a verified licence from counting."""
        licence = services.suspend_licence(
            _licence(request, pk), actor=request.actor, reason=_reason(request), now=timezone.now()
        )
        return Response(LicenceOut(licence).data)

    @extend_schema(request=None, responses=LicenceOut)
    def delete(self, request: ActorRequest, pk: int) -> Response:
        """Let a suspended licence count again."""
        row = _licence(request, pk)
        licence = services.reinstate_licence(row, actor=request.actor, now=timezone.now())
        return Response(LicenceOut(licence).data)


def _licence(request: ActorRequest, pk: int) -> Licence:
    return get_object_or_404(Licence.objects.visible_to(request.actor), pk=pk)


def _reason(request: ActorRequest) -> str:
    body = ReasonIn(data=request.data)
    body.is_valid(raise_exception=True)
    return str(body.validated_data["reason"])


# --- keys -----------------------------------------------------------------------------------------


class TokenOut(serializers.ModelSerializer[ApiToken]):
    """A key. Its secret is shown once, when it is made."""

    class Meta:
        model = ApiToken
        fields = ["id", "name", "created_at", "expires_at", "last_used_at", "revoked_at"]


class NewTokenOut(TokenOut):
    """A new key, with its secret."""

    secret = serializers.SerializerMethodField()

    class Meta(TokenOut.Meta):
        fields = [*TokenOut.Meta.fields, "secret"]

    def get_secret(self, _token: ApiToken) -> str:
        secret: str = self.context["secret"]
        return secret


class TokenIn(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=60)
    days = serializers.IntegerField(min_value=1, max_value=rules.TOKEN_DAYS_AT_MOST)


class Tokens(generics.ListAPIView[ApiToken]):
    """One's own keys for the organisation one acts for."""

    request: ActorRequest
    serializer_class = TokenOut

    def get_queryset(self) -> QuerySet[ApiToken]:
        return ApiToken.objects.visible_to(self.request.actor)

    @extend_schema(request=TokenIn, responses={201: NewTokenOut})
    def post(self, request: ActorRequest) -> Response:
        """Make a key. Its secret is in this answer and nowhere else."""
        body = TokenIn(data=request.data)
        body.is_valid(raise_exception=True)
        token, secret = services.issue_token(
            actor=request.actor, now=timezone.now(), **body.validated_data
        )
        return Response(NewTokenOut(token, context={"secret": secret}).data, status=201)


class OneToken(APIView):
    @extend_schema(responses={204: None})
    def delete(self, request: ActorRequest, pk: int) -> Response:
        """Make a key open nothing from now on."""
        token = get_object_or_404(ApiToken.objects.visible_to(request.actor), pk=pk)
        services.revoke_token(token, actor=request.actor, now=timezone.now())
        return Response(status=204)


# --- messages -------------------------------------------------------------------------------------


class NoticeOut(serializers.ModelSerializer[Notice]):
    """A message: which one, its facts, and the sentence in the language of the request."""

    text = serializers.SerializerMethodField()
    organisation = serializers.IntegerField(source="organisation_id", allow_null=True)
    facts = serializers.DictField()

    class Meta:
        model = Notice
        fields = [
            "id",
            "organisation",
            "template",
            "facts",
            "text",
            "path",
            "created_at",
            "read_at",
        ]

    def get_text(self, notice: Notice) -> str:
        return sentence(notice.template, notice.facts)


class Notices(generics.ListAPIView[Notice]):
    """What one was told, newest first."""

    request: ActorRequest
    serializer_class = NoticeOut

    def get_queryset(self) -> QuerySet[Notice]:
        return Notice.objects.visible_to(self.request.actor)


class NoticeRead(APIView):
    @extend_schema(request=None, responses={204: None})
    def post(self, request: ActorRequest, pk: int) -> Response:
        """Mark a message as read."""
        notice = get_object_or_404(Notice.objects.visible_to(request.actor), pk=pk)
        notifications.mark_read([notice], actor=request.actor, now=timezone.now())
        return Response(status=204)
