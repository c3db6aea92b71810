from collections.abc import Callable

from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext as _

from .actors import ANONYMOUS, Actor, actor_of

ACTING_FOR = "acting_for"


def actor(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Give every request an actor, whichever door it came through."""

    def middleware(request: HttpRequest) -> HttpResponse:
        request.actor = SimpleLazyObject(lambda: _actor(request))  # type: ignore[attr-defined]
        return get_response(request)

    return middleware


GUARDED = ("/admin/", "/staff/")
"""Where those who run the site can see and stop everything."""


def staff_second_factor(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Let staff into their pages only with a second factor: a stolen password must not stop the market."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if (
            settings.STAFF_NEED_SECOND_FACTOR
            and request.path.startswith(GUARDED)
            and request.user.is_authenticated
            and not is_mfa_enabled(request.user)
        ):
            messages.warning(request, _("Set up your second factor first. Then come back."))
            return HttpResponseRedirect(reverse("mfa_index"))
        return get_response(request)

    return middleware


def _actor(request: HttpRequest) -> Actor:
    if not request.user.is_authenticated:
        return ANONYMOUS
    return actor_of(request.user, organisation_id=request.session.get(ACTING_FOR))
