"""Prices for programs: public, without a key, but not without a limit."""

from decimal import Decimal
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.response import Response
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView

from marketplace.pricing.queries import public
from marketplace.pricing.rules import asking

from .http import ActorRequest

MONEY: dict[str, Any] = {"max_digits": 18, "decimal_places": 2}
SHARE = Decimal("0.001")


class PublicRate(SimpleRateThrottle):
    """So many requests a minute from one address, with or without a key."""

    scope = "prices"
    rate = "60/min"

    def get_cache_key(self, request: Any, view: Any) -> str | None:
        if request.method != "GET":  # refused anyway, and free
            return None
        return f"throttle:prices:{self.get_ident(request)}"


class CountryIn(serializers.Serializer[Any]):
    country = serializers.RegexField(
        r"^[A-Z]{2}$", required=False, default="", help_text="Two letters; its money is used."
    )


class PaidOut(serializers.Serializer[public.Paid]):
    value = serializers.DecimalField(**MONEY)
    on = serializers.DateField()
    country = serializers.CharField()
    is_inferred = serializers.BooleanField()
    deals_at_least = serializers.IntegerField(source="deals")
    revision = serializers.IntegerField()


class PricePointOut(serializers.Serializer[public.Point]):
    on = serializers.DateField()
    value = serializers.DecimalField(**MONEY)


class PriceLineOut(serializers.Serializer[public.Line]):
    """What a kilogram is worth today. ``paid`` is the index: what was really paid lately."""

    code = serializers.CharField()
    name = serializers.CharField()
    chemistry = serializers.CharField(source="chemistry.pk")
    form = serializers.CharField()
    low = serializers.DecimalField(**MONEY)
    typical = serializers.DecimalField(**MONEY)
    high = serializers.DecimalField(**MONEY)
    currency = serializers.CharField()
    quotes_on = serializers.DateField()
    is_stale = serializers.BooleanField()
    paid = PaidOut(allow_null=True)
    trend = PricePointOut(many=True)


class PriceBoardOut(serializers.Serializer[public.Board]):
    on = serializers.DateField()
    country = serializers.CharField()
    currency = serializers.CharField()
    lines = PriceLineOut(many=True)
    licence = serializers.CharField(default=public.LICENCE)


class Prices(APIView):
    """Today's price board."""

    permission_classes = (AllowAny,)
    throttle_classes = (PublicRate,)

    @extend_schema(
        parameters=[CountryIn],
        responses=PriceBoardOut,
        auth=[],
    )
    def get(self, request: ActorRequest) -> Response:
        """Return what a kilogram of what people recognise is worth today, with its trend and what was paid."""
        asked = CountryIn(data=request.query_params)
        asked.is_valid(raise_exception=True)
        board = public.board(on=timezone.now().date(), country=asked.validated_data["country"])
        return Response(PriceBoardOut(board).data)


class PriceCheckIn(CountryIn):
    thing = serializers.ChoiceField(choices=[(each.code, each.code) for each in asking.THINGS])
    kg = serializers.DecimalField(
        max_digits=9, decimal_places=3, min_value=0, required=False, help_text="Or ``pieces``."
    )
    pieces = serializers.IntegerField(min_value=1, max_value=asking.MOST_PIECES, required=False)
    chemistry = serializers.CharField(
        required=False, default="", max_length=12, help_text="A code; empty if nobody knows."
    )


class NarrowsOut(serializers.Serializer[Any]):
    evidence = serializers.CharField()
    share = serializers.DecimalField(max_digits=5, decimal_places=3)


class PriceCheckOut(serializers.Serializer[Any]):
    """What all of it is worth, where it lies, undamaged."""

    thing = serializers.CharField()
    name = serializers.CharField()
    chemistry = serializers.CharField(allow_null=True)
    kg = serializers.DecimalField(max_digits=10, decimal_places=3)
    currency = serializers.CharField()
    low = serializers.DecimalField(**MONEY)
    typical = serializers.DecimalField(**MONEY)
    high = serializers.DecimalField(**MONEY)
    route = serializers.CharField()
    narrows = NarrowsOut(many=True)
    quotes_on = serializers.DateField()
    stale_quotes = serializers.ListField(child=serializers.CharField())


class PriceCheck(APIView):
    """What somebody's batteries are worth, for a few answers."""

    permission_classes = (AllowAny,)
    throttle_classes = (PublicRate,)

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "thing", str, required=True, enum=[each.code for each in asking.THINGS]
            ),
            OpenApiParameter("kg", float, description="Or pieces."),
            OpenApiParameter("pieces", int),
            OpenApiParameter("chemistry", str, description="A code; left out if nobody knows."),
            OpenApiParameter("country", str, description="Two letters; its money is used."),
        ],
        responses=PriceCheckOut,
        auth=[],
    )
    def get(self, request: ActorRequest) -> Response:
        """Return a range for so many kilograms or pieces of something."""
        asked = PriceCheckIn(data=request.query_params)
        asked.is_valid(raise_exception=True)
        given = asked.validated_data
        found = public.estimate(
            given["thing"],
            kg=given.get("kg"),
            pieces=given.get("pieces"),
            chemistry=given["chemistry"],
            country=given["country"],
            on=timezone.now().date(),
        )
        told = {
            "thing": found.thing.code,
            "name": found.name,
            "chemistry": found.chemistry.pk if found.chemistry else None,
            "kg": found.kg,
            "currency": found.currency,
            "low": found.low,
            "typical": found.typical,
            "high": found.high,
            "route": found.route,
            "narrows": [
                {"evidence": name, "share": share.quantize(SHARE)} for name, share in found.narrows
            ],
            "quotes_on": found.quotes_on,
            "stale_quotes": list(found.stale),
        }
        return Response(PriceCheckOut(told).data)
