"""Money: balances, the statement, adding money and being paid out."""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.ledger import services
from marketplace.ledger.models import Account, Payment, Posting

from .http import ActorRequest, RequestIdIn
from .market import IN_NUMBERS


class AccountOut(serializers.ModelSerializer[Account]):
    class Meta:
        model = Account
        fields = ["kind", "currency", "balance"]


class PostingOut(serializers.ModelSerializer[Posting]):
    """One line of the statement: what a pot gained or lost, why, and what was in it then."""

    kind = serializers.CharField(source="movement.kind")
    purpose = serializers.CharField(source="movement.purpose")
    at = serializers.DateTimeField(source="movement.at")
    pot = serializers.CharField(source="account.kind")

    class Meta:
        model = Posting
        fields = ["id", "kind", "purpose", "at", "pot", "amount", "currency", "balance_after"]


class PaymentIn(RequestIdIn):
    amount = serializers.DecimalField(max_digits=20, decimal_places=6, error_messages=IN_NUMBERS)
    currency = serializers.CharField(max_length=3)


class PaymentOut(serializers.ModelSerializer[Payment]):
    class Meta:
        model = Payment
        fields = [
            "id",
            "way",
            "amount",
            "currency",
            "status",
            "reference",
            "reason",
            "asked_at",
            "ended_at",
            "request_id",
        ]


class Balances(APIView):
    """What is available, and what is held."""

    request: ActorRequest

    @extend_schema(responses=AccountOut(many=True))
    def get(self, request: ActorRequest) -> Response:
        """The balances of the organisation one acts for; staff see those of everybody."""
        accounts = Account.objects.visible_to(request.actor).exclude(organisation=None)
        return Response(AccountOut(accounts.order_by("currency", "kind"), many=True).data)


class Statement(generics.ListAPIView[Posting]):
    """Every movement of one's money, newest first."""

    request: ActorRequest
    serializer_class = PostingOut

    def get_queryset(self) -> QuerySet[Posting]:
        rows = Posting.objects.visible_to(self.request.actor)
        return rows.select_related("movement", "account")


class Payments(generics.ListAPIView[Payment]):
    """Money that came in and went out, newest first."""

    request: ActorRequest
    serializer_class = PaymentOut

    def get_queryset(self) -> QuerySet[Payment]:
        return Payment.objects.visible_to(self.request.actor)


class TopUps(APIView):
    """Money that comes in."""

    request: ActorRequest

    @extend_schema(request=PaymentIn, responses={201: PaymentOut})
    def post(self, request: ActorRequest) -> Response:
        """Ask the payment service for money from one's organisation."""
        payment = services.top_up(actor=request.actor, now=timezone.now(), **_asked(request))
        return Response(PaymentOut(payment).data, status=201)


class PayOuts(APIView):
    """Money that goes out."""

    request: ActorRequest

    @extend_schema(request=PaymentIn, responses={201: PaymentOut})
    def post(self, request: ActorRequest) -> Response:
        """Send available money to one's organisation's bank or wallet."""
        payment = services.pay_out(actor=request.actor, now=timezone.now(), **_asked(request))
        return Response(PaymentOut(payment).data, status=201)


def _asked(request: ActorRequest) -> dict[str, Any]:
    said = PaymentIn(data=request.data)
    said.is_valid(raise_exception=True)
    return {
        "amount": said.validated_data["amount"],
        "currency": said.validated_data["currency"],
        "request_id": said.request_id_for(request),
    }
