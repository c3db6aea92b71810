"""The inbox: what a person was told, newest first."""

from dataclasses import dataclass

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from marketplace.notifications import services
from marketplace.notifications.models import Notice
from marketplace.notifications.wording import WORDINGS, sentence

from .http import Keyset, WebRequest, go, login_needed, page


@dataclass(frozen=True, slots=True)
class Line:
    """A notice in the reader's words."""

    notice: Notice
    text: str
    icon: str


@login_needed
@require_safe
def inbox(request: WebRequest) -> HttpResponse:
    rows = Notice.objects.visible_to(request.actor).select_related("organisation")
    shown = Keyset(rows, "-pk", size=30, after=request.GET.get("after"))
    lines = [
        Line(
            notice,
            sentence(notice.template, notice.facts),
            WORDINGS[notice.template].icon if notice.template in WORDINGS else "bell",
        )
        for notice in shown
    ]
    context = {
        "page": shown,
        "lines": lines,
        "any_unread": any(line.notice.read_at is None for line in lines),
    }
    return page(request, "web/notices/inbox.html", context)


@login_needed
@require_POST
def notice_open(request: WebRequest, pk: int) -> HttpResponse:
    """Mark a notice as read, and go where it can be acted upon."""
    notice = get_object_or_404(Notice.objects.visible_to(request.actor), pk=pk)
    services.mark_read([notice], actor=request.actor, now=timezone.now())
    return go(request, notice.path or "inbox")


@login_needed
@require_POST
def notices_read(request: WebRequest) -> HttpResponse:
    services.mark_all_read(actor=request.actor, now=timezone.now())
    return go(request, "inbox")
