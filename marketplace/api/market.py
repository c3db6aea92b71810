"""Auctions, bids, decisions and results."""

from decimal import Decimal
from typing import Any

from django.db.models import Max, Min, QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.accounts.capabilities import Capability
from marketplace.core.clock import database_clock
from marketplace.lots.models import Lot
from marketplace.market import queries, rules, services
from marketplace.market.models import Auction, Award, Bid, Seal
from marketplace.market.rules.dutch import Stage

from .http import ActorRequest, RequestIdIn

MONEY: dict[str, Any] = {"max_digits": 14, "decimal_places": 2}
IN_NUMBERS: dict[str, Any] = {
    "invalid": lazy("Send the amount in numbers, as 18500.00."),
    "max_digits": lazy("Send a smaller amount: this is more than anybody can pay."),
    "max_whole_digits": lazy("Send a smaller amount: this is more than anybody can pay."),
    "max_decimal_places": lazy("Send at most two digits after the point."),
}


class AuctionIn(RequestIdIn):
    """The terms of an auction. Amounts in the seller's currency."""

    lot = serializers.IntegerField()
    mode = serializers.ChoiceField(choices=Auction.Mode.choices, default=Auction.Mode.OPEN.value)
    starting_price = serializers.DecimalField(**MONEY, error_messages=IN_NUMBERS)
    reserve = serializers.DecimalField(
        **MONEY, error_messages=IN_NUMBERS, help_text="Secret: below it the seller decides."
    )
    step = serializers.DecimalField(**MONEY, error_messages=IN_NUMBERS)
    opens_at = serializers.DateTimeField(required=False, help_text="Left out: now.")
    closes_at = serializers.DateTimeField()
    overtime_seconds = serializers.IntegerField(
        required=False, min_value=0, help_text="Left out: the house's usual."
    )
    fall_steps = serializers.IntegerField(
        required=False, min_value=1, max_value=99, help_text="Dutch only. Left out: many."
    )


class SealOut(serializers.ModelSerializer[Seal]):
    """What sealed bids are closed with, and how many of its holders must come together to open them."""

    class Meta:
        model = Seal
        fields = ["public_key", "needed", "parts", "opened_at"]


class AuctionOut(serializers.ModelSerializer[Auction]):
    """An auction as the one who asks may see it. ``reserve`` is shown to the seller alone, names to nobody."""

    minimum_bid = serializers.SerializerMethodField()
    my_maximum = serializers.SerializerMethodField()
    i_lead = serializers.SerializerMethodField()
    reserve = serializers.SerializerMethodField()
    reserve_is_met = serializers.SerializerMethodField()
    bid_count = serializers.SerializerMethodField()
    price = serializers.SerializerMethodField()
    dutch_stage = serializers.SerializerMethodField(help_text="Of an open Dutch auction.")
    seal = serializers.SerializerMethodField(help_text="Of a sealed auction.")

    class Meta:
        model = Auction
        fields = [
            "id",
            "lot",
            "attempt",
            "mode",
            "status",
            "currency",
            "starting_price",
            "step",
            "deposit",
            "reserve",
            "opens_at",
            "closes_at",
            "last_close_at",
            "overtime_seconds",
            "terms_sha256",
            "price",
            "bid_count",
            "reserve_is_met",
            "minimum_bid",
            "my_maximum",
            "i_lead",
            "closed_at",
            "decide_by",
            "fall_steps",
            "taken_at",
            "opened_at",
            "paused_at",
            "dutch_stage",
            "seal",
        ]

    @property
    def _me(self) -> int | None:
        me: int | None = self.context["actor"].organisation_id
        return me

    def _mine(self, auction: Auction) -> Decimal | None:
        mine: Decimal | None = self.context["mine"].get(auction.pk)
        return mine

    def get_i_lead(self, auction: Auction) -> bool:
        return auction.leader_id is not None and auction.leader_id == self._me

    @extend_schema_field({"type": ["string", "null"], "format": "decimal"})
    def get_my_maximum(self, auction: Auction) -> str | None:
        return _text(self._mine(auction))

    @extend_schema_field({"type": ["string", "null"], "format": "decimal"})
    def get_minimum_bid(self, auction: Auction) -> str | None:
        if auction.status != Auction.Status.OPEN:
            return None
        now = self.context["now"]
        return _text(queries.least_from(auction, self._me, self._mine(auction), now=now))

    @extend_schema_field({"type": ["string", "null"], "format": "decimal"})
    def get_reserve(self, auction: Auction) -> str | None:
        is_public = auction.mode == Auction.Mode.DUTCH  # where the price falls to is no secret
        is_shown = is_public or auction.lot.seller_id == self._me
        return _text(auction.reserve) if is_shown else None

    @extend_schema_field({"type": ["boolean", "null"]})
    def get_reserve_is_met(self, auction: Auction) -> bool | None:
        if queries.is_hidden(auction):
            return None
        if auction.price is None:
            return False
        return rules.is_good_enough(auction.mode, auction.price, auction.reserve)

    @extend_schema_field({"type": ["integer", "null"]})
    def get_bid_count(self, auction: Auction) -> int | None:
        return None if queries.is_hidden(auction) else auction.bid_count

    @extend_schema_field({"type": ["string", "null"], "format": "decimal"})
    def get_price(self, auction: Auction) -> str | None:
        return _text(queries.price_shown(auction, self.context["now"]))

    @extend_schema_field({"type": "string", "enum": ["", *Stage]})
    def get_dutch_stage(self, auction: Auction) -> str:
        stage = queries.stage_of(auction, self.context["now"])
        return stage.value if stage else ""

    @extend_schema_field(SealOut(allow_null=True))
    def get_seal(self, auction: Auction) -> dict[str, Any] | None:
        seal = getattr(auction, "seal", None)
        return SealOut(seal).data if seal else None


class LineOut(serializers.Serializer[Any]):
    """One bid as others may see it: a letter for a name, and what the price became."""

    bidder = serializers.CharField(source="letter")
    is_mine = serializers.BooleanField()
    price = serializers.DecimalField(**MONEY, allow_null=True)
    placed_at = serializers.DateTimeField()


class AuctionDetailOut(AuctionOut):
    history = LineOut(many=True)

    class Meta(AuctionOut.Meta):
        fields = [*AuctionOut.Meta.fields, "history"]


@extend_schema_field({"type": "object", "additionalProperties": {}})
class TermsField(serializers.JSONField):
    """Terms as named fields. The rules read them; here anything passes."""


class BidIn(RequestIdIn):
    """A bid for the whole lot: up to what the bidder goes; or, in a sealed auction, terms."""

    maximum = serializers.DecimalField(
        max_digits=20,
        decimal_places=6,
        required=False,
        error_messages=IN_NUMBERS,
        help_text="With terms: the figure they were last worked out to; another one is refused. It may be left out.",
    )
    terms = TermsField(
        required=False,
        help_text=(
            "Sealed auctions only. One of: {kind: PER_KG, price}; {kind: PER_KWH, price}; {kind: FORMULA, payables: "
            "{Ni: 0.75, ...} (shares of the quote, 0 to 1.2), charge_per_kg, floor_per_kg, pickup: BUYER or SELLER, "
            "quotes_of: WEIGHING_DAY, MONTH or NEXT_MONTH, assay: CONTAINED_BY_CHEMISTRY or LAB}. "
            "Amounts in the auction's currency. The bid counts as what the terms typically pay at the seller's gate. That "
            "is the provisional price of the contract; the final one is worked out from the terms, see /deals/{id}/reckoning/."
        ),
    )
    currency = serializers.CharField(max_length=3)
    confirmed = serializers.BooleanField(
        default=False, help_text="That a bid five times as high as the leading one is meant."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "maximum" not in attrs and "terms" not in attrs:
            raise serializers.ValidationError({"maximum": _("Send an amount, or terms.")})
        return attrs


class BidOut(serializers.ModelSerializer[Bid]):
    """A bid as it was placed. It never changes, so that a repeated request gets the same answer.

    In its envelope, ``maximum``, ``terms`` and ``figures`` are null but for the one who has just placed it; afterwards
    the commitment shows that nothing was exchanged.
    """

    currency = serializers.CharField(source="auction.currency")
    terms = TermsField(allow_null=True, help_text="Null for a plain amount.")
    figures = TermsField(
        allow_null=True,
        help_text="How the maximum was worked out from the terms, with its worst case.",
    )

    class Meta:
        model = Bid
        fields = [
            "id",
            "auction",
            "bidder",
            "maximum",
            "currency",
            "price_after",
            "leads",
            "placed_at",
            "request_id",
            "terms",
            "figures",
            "commitment",
        ]


class DecisionIn(serializers.Serializer[Any]):
    accept = serializers.BooleanField(help_text="True: sell at the best bid. False: do not sell.")


class AwardOut(serializers.ModelSerializer[Award]):
    """A rung of the ladder: the winner, or one who stands by."""

    auction = serializers.IntegerField(
        source="auction_id", allow_null=True, help_text="Null: sold to a standing order."
    )
    lot = serializers.IntegerField(source="lot_id")
    currency = serializers.CharField()

    class Meta:
        model = Award
        fields = [
            "id",
            "auction",
            "lot",
            "bidder",
            "rank",
            "price",
            "currency",
            "status",
            "decided_at",
        ]


FILTERS = [
    OpenApiParameter("status", str, enum=Auction.Status.values),
    OpenApiParameter("mode", str, enum=Auction.Mode.values),
    OpenApiParameter("chemistry", str, description="A chemistry's code, as NMC532."),
    OpenApiParameter("country", str, description="Where the lot is, as ID."),
    OpenApiParameter("lot", OpenApiTypes.INT),
]


class Auctions(generics.ListAPIView[Auction]):
    """Auctions, newest first."""

    request: ActorRequest
    serializer_class = AuctionOut

    def get_queryset(self) -> QuerySet[Auction]:
        rows: QuerySet[Auction] = Auction.objects.visible_to(self.request.actor)
        asked = self.request.query_params
        if asked.get("status") in Auction.Status.values:
            rows = rows.filter(status=asked["status"])
        if asked.get("mode") in Auction.Mode.values:
            rows = rows.filter(mode=asked["mode"])
        if asked.get("chemistry"):
            rows = rows.filter(lot__chemistry=asked["chemistry"][:12])
        if asked.get("country"):
            rows = rows.filter(lot__country=asked["country"][:2])
        if asked.get("lot", "").isdecimal():
            rows = rows.filter(lot=int(asked["lot"][:18]))
        return rows.select_related("lot", "seal")

    @extend_schema(parameters=FILTERS)
    def get(self, request: ActorRequest, *args: Any, **kwargs: Any) -> Response:  # type: ignore[override]
        """The auctions of the lots that the one who asks may see."""
        shown = self.paginate_queryset(self.get_queryset()) or []
        out = AuctionOut(shown, many=True, context=_context(request, shown))
        return self.get_paginated_response(out.data)

    @extend_schema(request=AuctionIn, responses={201: AuctionOut})
    def post(self, request: ActorRequest) -> Response:
        """Offer a valued lot for bids."""
        said = AuctionIn(data=request.data)
        said.is_valid(raise_exception=True)
        terms: dict[str, Any] = dict(said.validated_data)
        terms.pop("request_id", None)
        lots = Lot.objects.visible_to(request.actor)
        lot = get_object_or_404(lots, pk=terms.pop("lot"))
        now = timezone.now()
        terms.setdefault("opens_at", now)
        auction = services.open_auction(
            lot,
            actor=request.actor,
            request_id=said.request_id_for(request),
            now=now,
            **terms,
        )
        return Response(AuctionOut(auction, context=_context(request, [auction])).data, status=201)


class AuctionById(APIView):
    """One auction."""

    request: ActorRequest

    @extend_schema(responses=AuctionDetailOut)
    def get(self, request: ActorRequest, pk: int) -> Response:
        """An auction with its latest bids, without names."""
        auction = _visible(request, pk)
        view = queries.view_of(auction, request.actor, now=timezone.now())
        auction.history = view.lines  # type: ignore[attr-defined]
        out = AuctionDetailOut(auction, context=_context(request, [auction]))
        return Response(out.data)


class Bids(APIView):
    """The bids of an auction."""

    request: ActorRequest

    @extend_schema(responses=BidOut(many=True))
    def get(self, request: ActorRequest, pk: int) -> Response:
        """One's own bids, newest first; those of others only to the seller, and only after the close."""
        auction = _visible(request, pk)
        bids = Bid.objects.visible_to(request.actor).filter(auction=auction)
        found = bids.select_related("auction").order_by("-pk")[:200]
        return Response(BidOut(found, many=True).data)

    @extend_schema(request=BidIn, responses={201: BidOut})
    def post(self, request: ActorRequest, pk: int) -> Response:
        """Place a binding bid. The same request id gets the same answer, also after the close."""
        said = BidIn(data=request.data)
        said.is_valid(raise_exception=True)
        rows = Auction.objects.visible_to(request.actor).only("currency", "mode", "lot_id")
        auction = get_object_or_404(rows, pk=pk)
        asked = dict(said.validated_data)
        asked["request_id"] = said.request_id_for(request)
        place = services.place_formula_bid if "terms" in asked else services.place_bid
        bid = place(auction, actor=request.actor, clock=database_clock, **asked)
        bid.auction = auction
        return Response(BidOut(bid).data, status=201)


class Decision(APIView):
    """The seller's decision about a best bid below the reserve."""

    request: ActorRequest

    @extend_schema(request=DecisionIn, responses=AuctionOut)
    def post(self, request: ActorRequest, pk: int) -> Response:
        """Sell at the best bid, or do not."""
        said = DecisionIn(data=request.data)
        said.is_valid(raise_exception=True)
        auction = services.decide(
            _visible(request, pk),
            actor=request.actor,
            accept=said.validated_data["accept"],
            now=timezone.now(),
        )
        return Response(AuctionOut(auction, context=_context(request, [auction])).data)


class Withdrawal(APIView):
    """The end of an auction that nobody has bid in."""

    request: ActorRequest

    @extend_schema(request=None, responses=AuctionOut)
    def post(self, request: ActorRequest, pk: int) -> Response:
        """Take the lot off the market, with its auction."""
        auction = services.withdraw_auction(
            _visible(request, pk), actor=request.actor, now=timezone.now()
        )
        return Response(AuctionOut(auction, context=_context(request, [auction])).data)


class Awards(generics.ListAPIView[Award]):
    """Results: what one won or stands by for, and for a seller the whole ladder; newest first."""

    request: ActorRequest
    serializer_class = AwardOut

    def get_queryset(self) -> QuerySet[Award]:
        return Award.objects.visible_to(self.request.actor).select_related("auction", "fill__order")


def _visible(request: ActorRequest, pk: int) -> Auction:
    rows = Auction.objects.visible_to(request.actor).select_related("lot", "seal")
    return get_object_or_404(rows, pk=pk)


def _context(request: ActorRequest, auctions: list[Auction]) -> dict[str, Any]:
    actor = request.actor
    mine: dict[int, Decimal | None] = {}
    if actor.may(Capability.BID_PLACE):
        bids = Bid.objects.visible_to(actor).filter(
            bidder_id=actor.organisation_id, auction__in=[row.pk for row in auctions]
        )
        reverse_ones = {row.pk for row in auctions if row.mode == Auction.Mode.REVERSE}
        found = bids.order_by().values_list("auction_id")
        mine = {
            pk: least if pk in reverse_ones else most
            for pk, most, least in found.annotate(most=Max("maximum"), least=Min("maximum"))
        }
    return {"actor": actor, "mine": mine, "now": timezone.now()}


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:.2f}"
