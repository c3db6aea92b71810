"""Search among what is open for bids: the filters of the page, for programs."""

from typing import Any
from urllib.parse import urlencode

from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.lots.models import Lot
from marketplace.market import queries
from marketplace.market.models import Auction
from marketplace.market.rules.search import Sort
from marketplace.pricing.models import Valuation

from .http import ActorRequest

SMALL: dict[str, Any] = {"required": False, "min_value": 0}


class SearchIn(serializers.Serializer[Any]):
    """What is looked for. All of it may be left out."""

    q = serializers.CharField(
        required=False, max_length=60, help_text="Words: a place, a kind, a lot's number."
    )
    near = serializers.CharField(
        required=False,
        max_length=80,
        help_text="A town, its GeoNames number, latitude,longitude in degrees, or site: the organisation's own place.",
    )
    within_km = serializers.IntegerField(required=False, min_value=1, max_value=20_000)
    sort = serializers.ChoiceField(choices=[sort.value for sort in Sort], required=False)
    chemistry = serializers.CharField(
        required=False, max_length=20, help_text="A code, as NMC532, or letters, as NMC."
    )
    origin = serializers.ChoiceField(choices=Lot.Origin.choices, required=False)
    country = serializers.CharField(required=False, max_length=2)
    kg_from = serializers.DecimalField(max_digits=9, decimal_places=3, **SMALL)
    kg_to = serializers.DecimalField(max_digits=9, decimal_places=3, **SMALL)
    health_from = serializers.DecimalField(
        max_digits=4, decimal_places=1, max_value=120, help_text="Per cent.", **SMALL
    )
    price_from = serializers.DecimalField(
        max_digits=14, decimal_places=2, help_text="A kilogram, in currency.", **SMALL
    )
    price_to = serializers.DecimalField(
        max_digits=14, decimal_places=2, help_text="A kilogram, in currency.", **SMALL
    )
    currency = serializers.CharField(
        required=False, max_length=3, help_text="Left out: the organisation's own."
    )
    route = serializers.ChoiceField(choices=Valuation.Route.choices, required=False)
    mode = serializers.ChoiceField(choices=Auction.Mode.choices, required=False)
    ends_after = serializers.DateTimeField(required=False)
    ends_before = serializers.DateTimeField(required=False)
    after = serializers.CharField(
        required=False, max_length=80, help_text="Where the page before ended: its after."
    )
    page_size = serializers.IntegerField(required=False, min_value=1, max_value=200)


class FoundOut(serializers.ModelSerializer[Auction]):
    """A lot that is open for bids. ``price``: the best bid, or where bidding starts; of sealed ones always the latter."""

    auction = serializers.IntegerField(source="pk")
    chemistry = serializers.CharField(source="lot.chemistry_id", allow_null=True)
    origin = serializers.CharField(source="lot.origin")
    mass_kg = serializers.DecimalField(source="lot.mass_kg", max_digits=10, decimal_places=3)
    place = serializers.CharField(source="lot.place")
    country = serializers.CharField(source="lot.country")
    km_away = serializers.SerializerMethodField()
    price = serializers.SerializerMethodField()

    class Meta:
        model = Auction
        fields = [
            "lot",
            "auction",
            "chemistry",
            "origin",
            "mass_kg",
            "place",
            "country",
            "km_away",
            "mode",
            "price",
            "currency",
            "closes_at",
        ]

    def get_km_away(self, auction: Auction) -> int | None:
        metres = self.context["away"][auction.pk]
        return None if metres is None else max(1, round(metres / 1000))

    def get_price(self, auction: Auction) -> str:
        is_hidden = auction.mode != Auction.Mode.OPEN or auction.price is None
        return f"{auction.starting_price if is_hidden else auction.price:.2f}"


PAGE_OUT = inline_serializer(
    "FoundPage",
    {
        "results": FoundOut(many=True),
        "after": serializers.CharField(help_text="For the next page; empty on the last."),
        "next": serializers.CharField(allow_null=True),
    },
)


class Search(APIView):
    """What is open for bids."""

    request: ActorRequest

    @extend_schema(parameters=[SearchIn], responses=PAGE_OUT)
    def get(self, request: ActorRequest) -> Response:
        """Lots that are open for bids and fit, in pages that neither skip nor repeat when others come and go."""
        asked_in = SearchIn(data=request.query_params)
        asked_in.is_valid(raise_exception=True)
        asked = dict(asked_in.validated_data)
        after, size = asked.pop("after", ""), asked.pop("page_size", 50)
        currency = asked.pop("currency", "") or queries.currency_of(request.actor)
        now = timezone.now()
        wanted = queries.wanted_of(asked, actor=request.actor, currency=currency, on=now.date())
        try:
            hits = queries.search(wanted, size=size, now=now, after=after)
        except queries.CursorUnknown:
            raise Http404 from None
        away = {hit.auction_id: hit.metres for hit in hits.rows}
        rows = FoundOut(queries.auctions_of(hits), many=True, context={"away": away})
        query = urlencode(dict(request.query_params.items()) | {"after": hits.after})
        following = request.build_absolute_uri(f"?{query}") if hits.after else None
        return Response({"results": rows.data, "after": hits.after, "next": following})
