"""What every API view needs: a request with an actor, keyset pages, and the idempotency key."""

from typing import Any, Self
from uuid import UUID

from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request

from marketplace.accounts.actors import Actor


class ActorRequest(Request):
    """A request that has passed the actor middleware."""

    actor: Actor


class KeysetPagination(CursorPagination):
    """Pages by "what comes after this row": as fast at depth 100,000 as at the start. Newest first."""

    page_size = 50
    max_page_size = 200
    page_size_query_param = "page_size"
    ordering = "-pk"


def request_id_of(request: Request, given: UUID | None) -> UUID:
    """Return the id that makes a request count once: the ``Idempotency-Key`` header, or the body's ``request_id``.

    :raises ValidationError: if there is neither, or the header is no UUID
    """
    header = request.headers.get("Idempotency-Key")
    if header is None:
        if given is not None:
            return given
        raise serializers.ValidationError(
            {
                "request_id": [
                    _("Send a UUID as request_id or Idempotency-Key, so that a repeat counts once.")
                ]
            }
        )
    try:
        return UUID(header)
    except ValueError as wrong:
        raise serializers.ValidationError(
            {"Idempotency-Key": [_("Send a UUID, such as one from uuid4().")]}
        ) from wrong


class RequestIdIn(serializers.Serializer[Any]):
    """Body of a request that creates something: it carries an id that makes it count once."""

    request_id = serializers.UUIDField(required=False)

    def request_id_for(self: Self, request: Request) -> UUID:
        return request_id_of(request, self.validated_data.get("request_id"))
