"""Standing orders: what is bought, publishing, and selling a lot at once."""

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.accounts.capabilities import Capability
from marketplace.core.clock import database_clock
from marketplace.lots.models import Lot
from marketplace.market import queries, services
from marketplace.market.models import OrderFill, OrderTerms, StandingOrder

from .http import ActorRequest, RequestIdIn
from .market import IN_NUMBERS, MONEY, TermsField

KG: dict[str, Any] = {"max_digits": 12, "decimal_places": 3}
SHARE: dict[str, Any] = {"max_digits": 4, "decimal_places": 3}


class OrderIn(RequestIdIn):
    """What a buyer takes and pays. Amounts in the buyer's currency; health as shares of when new."""

    materials = serializers.ListField(
        child=serializers.CharField(max_length=20), max_length=50, help_text="Chemistry codes."
    )
    takes_intact = serializers.BooleanField(default=True)
    takes_damaged = serializers.BooleanField(default=False)
    health_from = serializers.DecimalField(**SHARE, required=False, allow_null=True)
    health_to = serializers.DecimalField(**SHARE, required=False, allow_null=True)
    health_basis = serializers.CharField(
        required=False, allow_blank=True, max_length=10, help_text="CAPACITY or ENERGY."
    )
    country = serializers.CharField(max_length=2, help_text="Where the lots are, as ID.")
    within_km = serializers.IntegerField(
        required=False, allow_null=True, help_text="Around the licensed site; left out: anywhere."
    )
    kg_from = serializers.DecimalField(**KG, help_text="Smallest lot.")
    kg_to = serializers.DecimalField(**KG, help_text="Largest lot.")
    capacity_kg = serializers.DecimalField(**KG, help_text="To be bought in all, from now on.")
    budget = serializers.DecimalField(
        **MONEY, error_messages=IN_NUMBERS, help_text="Held from now on; what is left comes back."
    )
    price = TermsField(
        help_text=(
            "{kind: PER_KG, price}, {kind: PER_KWH, price}, or {kind: FORMULA, ...} as in a sealed bid."
        )
    )
    pickup = serializers.CharField(
        max_length=6,
        default="BUYER",
        help_text="BUYER: the price is at the seller's gate. SELLER: delivered; the way is taken off.",
    )
    valid_until = serializers.DateTimeField()


class OrderOut(serializers.ModelSerializer[StandingOrder]):
    """A standing order with the terms that hold now. Budgets are shown to the buyer alone, names to nobody."""

    is_mine = serializers.SerializerMethodField()
    budget = serializers.SerializerMethodField()
    budget_left = serializers.SerializerMethodField()
    terms = serializers.SerializerMethodField()

    class Meta:
        model = StandingOrder
        fields = [
            "id",
            "version",
            "status",
            "paused",
            "currency",
            "capacity_kg",
            "left_kg",
            "budget",
            "budget_left",
            "is_mine",
            "terms",
            "created_at",
            "ended_at",
        ]

    def get_is_mine(self, order: StandingOrder) -> bool:
        me: int | None = self.context["actor"].organisation_id
        return order.buyer_id == me

    @extend_schema_field({"type": ["string", "null"], "format": "decimal"})
    def get_budget(self, order: StandingOrder) -> str | None:
        return str(order.budget) if self.get_is_mine(order) else None

    @extend_schema_field({"type": ["string", "null"], "format": "decimal"})
    def get_budget_left(self, order: StandingOrder) -> str | None:
        return str(order.budget_left) if self.get_is_mine(order) else None

    @extend_schema_field({"type": "object", "additionalProperties": {}})
    def get_terms(self, order: StandingOrder) -> dict[str, Any]:
        return OrderTermsOut(order.now_terms).data


class OrderTermsOut(serializers.ModelSerializer[OrderTerms]):
    price = TermsField()

    class Meta:
        model = OrderTerms
        fields = [
            "materials",
            "takes_intact",
            "takes_damaged",
            "health_from",
            "health_to",
            "health_basis",
            "country",
            "site_place",
            "site_latitude",
            "site_longitude",
            "within_km",
            "kg_from",
            "kg_to",
            "price",
            "pickup",
            "valid_until",
            "terms_sha256",
        ]


class OfferOut(serializers.Serializer[Any]):
    """What an order says to one lot."""

    order = serializers.IntegerField(source="order.pk")
    version = serializers.IntegerField(source="order.version")
    currency = serializers.CharField(source="order.currency")
    price = serializers.DecimalField(
        **MONEY, source="price.at_gate", allow_null=True, help_text="At the seller's gate."
    )
    freight = serializers.DecimalField(**MONEY, source="price.freight", allow_null=True)
    distance_km = serializers.IntegerField(source="km", allow_null=True)
    misfits = serializers.ListField(
        child=serializers.CharField(), help_text="Why it does not buy the lot; empty: it does."
    )


class BookOut(serializers.Serializer[Any]):
    """Who buys a lot now, best first, and why others do not."""

    fitting = OfferOut(many=True)
    others = OfferOut(many=True)


class SaleIn(RequestIdIn):
    """Sell a lot to an order, at the price that was shown."""

    order = serializers.IntegerField()
    version = serializers.IntegerField()
    price = serializers.DecimalField(**MONEY, error_messages=IN_NUMBERS)


class FillOut(serializers.ModelSerializer[OrderFill]):
    """A lot that was sold to an order. It never changes, so that a repeated request gets the same answer."""

    currency = serializers.CharField(source="order.currency")
    award = serializers.IntegerField(source="award.pk")

    class Meta:
        model = OrderFill
        fields = ["id", "order", "lot", "mass_kg", "price", "currency", "award", "matched_at"]


class Orders(generics.ListAPIView[StandingOrder]):
    """Standing orders, newest first."""

    request: ActorRequest
    serializer_class = OrderOut

    def get_queryset(self) -> QuerySet[StandingOrder]:
        return StandingOrder.objects.visible_to(self.request.actor).with_terms()

    def get_serializer_context(self) -> dict[str, Any]:
        return {"actor": self.request.actor}

    @extend_schema(request=OrderIn, responses={201: OrderOut})
    def post(self, request: ActorRequest) -> Response:
        """Publish a standing order. Its budget is held from now on."""
        said, request_id = _said(request)
        order = services.publish_order(
            actor=request.actor, said=said, request_id=request_id, now=timezone.now()
        )
        return Response(_out(request, order), status=201)


class OrderById(APIView):
    """One standing order."""

    request: ActorRequest

    @extend_schema(responses=OrderOut)
    def get(self, request: ActorRequest, pk: int) -> Response:
        """One standing order: those that buy now for everybody, others for their buyer."""
        return Response(_out(request, _visible(request, pk)))

    @extend_schema(request=OrderIn, responses={200: OrderOut})
    def put(self, request: ActorRequest, pk: int) -> Response:
        """Say it anew, as a further version. What was sold to it stays sold."""
        said, request_id = _said(request)
        order = services.change_order(
            _visible(request, pk),
            actor=request.actor,
            said=said,
            request_id=request_id,
            now=timezone.now(),
        )
        return Response(_out(request, order))


class Pause(APIView):
    """The pause of a standing order."""

    request: ActorRequest

    @extend_schema(request=None, responses={200: OrderOut})
    def put(self, request: ActorRequest, pk: int) -> Response:
        """Buy nothing until it is resumed."""
        found = _visible(request, pk)
        order = services.pause_order(found, actor=request.actor, now=timezone.now())
        return Response(_out(request, order))

    @extend_schema(request=None, responses={200: OrderOut})
    def delete(self, request: ActorRequest, pk: int) -> Response:
        """Buy again."""
        found = _visible(request, pk)
        order = services.resume_order(found, actor=request.actor, now=timezone.now())
        return Response(_out(request, order))


class Cancellation(APIView):
    """The end of a standing order."""

    request: ActorRequest

    @extend_schema(request=None, responses={200: OrderOut})
    def post(self, request: ActorRequest, pk: int) -> Response:
        """End it; what is left of its budget is free again."""
        found = _visible(request, pk)
        order = services.cancel_order(found, actor=request.actor, now=timezone.now())
        return Response(_out(request, order))


class Offers(APIView):
    """What standing orders say to one lot."""

    request: ActorRequest

    @extend_schema(responses=BookOut)
    def get(self, request: ActorRequest, pk: int) -> Response:
        """Who buys one's lot now, best first, and why others do not."""
        lot = _lot(request, pk)
        request.actor.require(Capability.DEAL_SELL, of=lot.seller_id)
        if lot.mass_kg is None:
            raise serializers.ValidationError({"lot": [_("Say first how much it weighs.")]})
        return Response(BookOut(queries.book_of(lot, now=timezone.now())).data)


class Sale(APIView):
    """Sell now."""

    request: ActorRequest

    @extend_schema(request=SaleIn, responses={201: FillOut})
    def post(self, request: ActorRequest, pk: int) -> Response:
        """Sell one's lot to a standing order at once. The same request id gets the same answer."""
        said = SaleIn(data=request.data)
        said.is_valid(raise_exception=True)
        asked = dict(said.validated_data)
        asked["request_id"] = said.request_id_for(request)
        lot = _lot(request, pk)
        rows = StandingOrder.objects.visible_to(request.actor)
        order = get_object_or_404(rows, pk=asked.pop("order"))
        fill = services.sell_now(
            lot, order=order, actor=request.actor, clock=database_clock, **asked
        )
        return Response(FillOut(fill).data, status=201)


def _said(request: ActorRequest) -> tuple[services.OrderSaid, Any]:
    said = OrderIn(data=request.data)
    said.is_valid(raise_exception=True)
    request_id = said.request_id_for(request)
    given = dict(said.validated_data)
    given.pop("request_id", None)
    return services.OrderSaid(**given), request_id


def _out(request: ActorRequest, order: StandingOrder) -> dict[str, Any]:
    return OrderOut(order, context={"actor": request.actor}).data


def _visible(request: ActorRequest, pk: int) -> StandingOrder:
    return get_object_or_404(StandingOrder.objects.visible_to(request.actor), pk=pk)


def _lot(request: ActorRequest, pk: int) -> Lot:
    rows = Lot.objects.visible_to(request.actor).select_related("seller")
    return get_object_or_404(rows, pk=pk)
