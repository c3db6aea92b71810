"""What goes on around an auction: questions and answers, the result for one who lost, pauses, and opening the bids."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.core.clock import database_clock
from marketplace.market import queries, services
from marketplace.market.models import Auction, Question

from .http import ActorRequest, RequestIdIn
from .market import MONEY

MOST = 200


class QuestionIn(RequestIdIn):
    text = serializers.CharField(max_length=500)


class QuestionAnswerIn(serializers.Serializer[Any]):
    text = serializers.CharField(max_length=1000)


class QuestionOut(serializers.ModelSerializer[Question]):
    """A question and its answer. Who asked is told to nobody."""

    is_mine = serializers.SerializerMethodField()

    class Meta:
        model = Question
        fields = ["id", "auction", "text", "asked_at", "answer", "answered_at", "is_mine"]

    def get_is_mine(self, question: Question) -> bool:
        me: int | None = self.context["actor"].organisation_id
        return question.asker_id == me


class LostOut(serializers.Serializer[Any]):
    """Why one did not win, without names."""

    reason = serializers.ChoiceField(
        choices=["OUTBID", "BELOW_RESERVE", "SELLER_KEPT_IT", "LATER", "STANDS_BY"]
    )
    rank = serializers.IntegerField()
    bidders = serializers.IntegerField()
    mine = serializers.DecimalField(**MONEY)
    price = serializers.DecimalField(**MONEY, allow_null=True)
    gap = serializers.DecimalField(**MONEY, allow_null=True)


class AttemptOut(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    mode = serializers.CharField()
    status = serializers.CharField()
    currency = serializers.CharField()
    starting_price = serializers.DecimalField(**MONEY)
    best = serializers.DecimalField(**MONEY, allow_null=True)
    bids = serializers.IntegerField()
    ended_at = serializers.DateTimeField(allow_null=True)


class OutcomeOut(serializers.Serializer[Any]):
    """Null where the asker won, did not bid, or the auction is not over."""

    lost = LostOut(allow_null=True)
    before = AttemptOut(many=True, help_text="Earlier attempts to sell the lot.")


class PauseIn(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=200)


class PauseOut(serializers.ModelSerializer[Auction]):
    class Meta:
        model = Auction
        fields = ["id", "status", "paused_at", "opens_at", "closes_at", "last_close_at"]


class Questions(APIView):
    """Questions to the seller."""

    request: ActorRequest

    @extend_schema(responses=QuestionOut(many=True))
    def get(self, request: ActorRequest, pk: int) -> Response:
        """What is answered; one's own questions; to the seller all; newest first."""
        auction = _visible(request, pk)
        rows = Question.objects.visible_to(request.actor).filter(auction=auction)
        return Response(_questions(request, list(rows.order_by("-pk")[:MOST]), many=True))

    @extend_schema(request=QuestionIn, responses={201: QuestionOut})
    def post(self, request: ActorRequest, pk: int) -> Response:
        """Ask, as a buyer with a licence to bid."""
        said = QuestionIn(data=request.data)
        said.is_valid(raise_exception=True)
        question = services.ask(
            _visible(request, pk),
            actor=request.actor,
            text=said.validated_data["text"],
            request_id=said.request_id_for(request),
            now=timezone.now(),
        )
        return Response(_questions(request, question), status=201)


class Answer(APIView):
    """The seller's answer."""

    request: ActorRequest

    @extend_schema(request=QuestionAnswerIn, responses=QuestionOut)
    def post(self, request: ActorRequest, pk: int) -> Response:
        """Answer for everybody to read. It stays."""
        said = QuestionAnswerIn(data=request.data)
        said.is_valid(raise_exception=True)
        rows = Question.objects.visible_to(request.actor).select_related("auction__lot")
        question = services.answer(
            get_object_or_404(rows, pk=pk),
            actor=request.actor,
            text=said.validated_data["text"],
            now=timezone.now(),
        )
        return Response(_questions(request, question))


class Outcome(APIView):
    """What one learns from an auction that is over."""

    request: ActorRequest

    @extend_schema(responses=OutcomeOut)
    def get(self, request: ActorRequest, pk: int) -> Response:
        """Why one did not win, and what happened when the lot was offered before."""
        auction = _visible(request, pk)
        lost = queries.why_lost(auction, request.actor)
        out = {
            "lost": LostOut(lost).data if lost else None,
            "before": AttemptOut(queries.attempts_before(auction), many=True).data,
        }
        return Response(out)


class Pause(APIView):
    """A stop of the clock. For the house."""

    request: ActorRequest

    @extend_schema(request=PauseIn, responses=PauseOut)
    def post(self, request: ActorRequest, pk: int) -> Response:
        """Stop the clock: nobody can bid, and it does not end."""
        auction = _for_the_house(request, pk)
        said = PauseIn(data=request.data)
        said.is_valid(raise_exception=True)
        paused = services.pause_auction(
            auction,
            actor=request.actor,
            reason=said.validated_data["reason"],
            clock=database_clock,
        )
        return Response(PauseOut(paused).data)

    @extend_schema(responses=PauseOut)
    def delete(self, request: ActorRequest, pk: int) -> Response:
        """Let the clock run on: every moment to come is later."""
        auction = _for_the_house(request, pk)
        resumed = services.resume_auction(auction, actor=request.actor, clock=database_clock)
        return Response(PauseOut(resumed).data)


class Opening(APIView):
    """The opening of sealed bids. It happens by itself; every try by hand is on record."""

    request: ActorRequest

    @extend_schema(request=None, responses=PauseOut)
    def post(self, request: ActorRequest, pk: int) -> Response:
        """Try again to join the key of an auction that waits for a part of it. Before the end it is refused."""
        auction = _visible(request, pk)
        services.refuse_early_opening(auction, actor=request.actor, clock=database_clock)
        closed = services.close_auction(auction, clock=database_clock, by=request.actor)
        return Response(PauseOut(closed or _visible(request, pk)).data)


def _visible(request: ActorRequest, pk: int) -> Auction:
    rows = Auction.objects.visible_to(request.actor).select_related("lot")
    return get_object_or_404(rows, pk=pk)


def _for_the_house(request: ActorRequest, pk: int) -> Auction:
    auction = _visible(request, pk)
    if not request.actor.sees_everything:
        raise PermissionDenied
    return auction


def _questions(request: ActorRequest, found: Any, *, many: bool = False) -> Any:
    return QuestionOut(found, many=many, context={"actor": request.actor}).data
