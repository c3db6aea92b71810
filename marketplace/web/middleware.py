"""What happens to every request before a page sees it."""

import re
import time
from collections.abc import Callable
from uuid import uuid4

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation
from django.utils.cache import patch_vary_headers

from marketplace.core.errors import Refused

Handler = Callable[[HttpRequest], HttpResponse]
log = structlog.get_logger("web")

OWN_REQUEST_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "font-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "manifest-src 'self'",
        "worker-src 'self'",
    ]
)


def request_log(get_response: Handler) -> Handler:
    """Give every request an id, and write one line about how it went."""

    def middleware(request: HttpRequest) -> HttpResponse:
        began = time.perf_counter()
        given = request.headers.get("X-Request-ID", "")
        request_id = given if OWN_REQUEST_ID.fullmatch(given) else uuid4().hex
        request.request_id = request_id  # type: ignore[attr-defined]
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        response = get_response(request)
        response.headers["X-Request-ID"] = request_id
        if not request.path.startswith(settings.STATIC_URL):
            log.info(
                "request",
                method=request.method,
                path=request.path,
                status=response.status_code,
                milliseconds=round((time.perf_counter() - began) * 1000, 1),
            )
        return response

    return middleware


def content_security_policy(get_response: Handler) -> Handler:
    """Let pages load from this site only, and run no inline script or style."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.headers.setdefault("Content-Security-Policy", POLICY)
        response.headers.setdefault(
            "Permissions-Policy", "camera=(self), geolocation=(self), microphone=()"
        )
        return response

    return middleware


def language(get_response: Handler) -> Handler:
    """Speak the language chosen in this browser, else the person's own, else what the browser asks for."""

    def middleware(request: HttpRequest) -> HttpResponse:
        code = _chosen(request) or translation.get_language_from_request(request)
        with translation.override(code):
            request.LANGUAGE_CODE = code
            response = get_response(request)
        response.headers.setdefault("Content-Language", code)
        patch_vary_headers(response, ["Accept-Language", "Cookie"])
        return response

    return middleware


def _chosen(request: HttpRequest) -> str:
    """Return the language of the browser's cookie or of the person; a stranger costs no query."""
    code = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, "")
    if not code and settings.SESSION_COOKIE_NAME in request.COOKIES:
        code = getattr(request.user, "language", "")  # nobody who is logged out has one
    return code if code in dict(settings.LANGUAGES) else ""


def refusal_page(get_response: Handler) -> Handler:
    """Show what a service refused when the page itself did not, instead of an error 500."""

    def middleware(request: HttpRequest) -> HttpResponse:
        return get_response(request)

    def process_exception(request: HttpRequest, problem: Exception) -> HttpResponse | None:
        if not isinstance(problem, Refused):
            return None
        return render(request, "409.html", {"refusal": problem}, status=409)

    middleware.process_exception = process_exception  # type: ignore[attr-defined]
    return middleware
