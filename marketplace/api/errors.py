"""The one place where a refusal becomes a status code. Bodies are problem documents (RFC 9457)."""

from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.exceptions import ValidationError as DjangoValidationError
from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from marketplace.core.errors import Refused

PROBLEM = "application/problem+json"


def problem(status: int, code: str, detail: str, **more: Any) -> Response:
    """Return a problem document: ``type``, ``title``, ``status``, ``code``, ``detail`` and, by field, ``errors``."""
    body = {
        "type": f"/help/problems/#{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        **more,
    }
    return Response(body, status=status, content_type=PROBLEM)


def handle(exc: Exception, context: dict[str, Any]) -> Response | None:
    """Translate the house's exceptions; anything else is a 500 without a stack trace."""
    set_rollback()
    if isinstance(exc, Refused):
        errors = {"errors": {exc.field: [exc.message]}} if exc.field else {}
        return problem(409, exc.code, exc.message, **errors)
    if isinstance(exc, Http404):
        return problem(404, "not_found", _("There is no such thing, or it is not yours to see."))
    if isinstance(exc, PermissionDenied | exceptions.PermissionDenied):
        return problem(
            403,
            "not_allowed",
            _("Your role may not do this. Act for another organisation, or ask its owner."),
        )
    if isinstance(exc, DjangoValidationError):
        return problem(
            400, "invalid", _("Correct what is named under errors."), errors={"": exc.messages}
        )
    if isinstance(exc, exceptions.ValidationError):
        errors_by_field = exc.detail if isinstance(exc.detail, dict) else {"": exc.detail}
        return problem(
            400, "invalid", _("Correct what is named under errors."), errors=errors_by_field
        )
    if isinstance(exc, exceptions.APIException):
        response = problem(exc.status_code, str(exc.get_codes()), str(exc.detail))
        if isinstance(exc, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
            response["WWW-Authenticate"] = "Bearer"
        return response
    return None
