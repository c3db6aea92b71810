"""The way in for text messages: the provider calls back here. Closed until a secret is set."""

from django.conf import settings
from django.http import Http404, HttpResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from marketplace.accounts.addresses import AddressRefused
from marketplace.notifications import price_answers

from .http import WebRequest

NAMES = {  # what providers call the three things that we need
    "from": ("from", "From", "sender", "msisdn"),
    "text": ("text", "Body", "message", "content"),
    "id": ("id", "MessageSid", "messageId", "message_id"),
}


@csrf_exempt
@require_POST
def received(request: WebRequest) -> HttpResponse:
    """Take a text message as a form, and queue its answer. The provider shows the shared secret in a header."""
    if not settings.SMS_IN_SECRET:
        raise Http404
    if not constant_time_compare(request.headers.get("X-SMS-Secret", ""), settings.SMS_IN_SECRET):
        return HttpResponse(status=401)
    said = {
        ours: next((request.POST[name] for name in names if name in request.POST), "")
        for ours, names in NAMES.items()
    }
    try:
        price_answers.ask_price(
            said["text"], sender=said["from"], message_id=said["id"], now=timezone.now()
        )
    except AddressRefused as refusal:
        return HttpResponse(refusal.message, status=422, content_type="text/plain; charset=utf-8")
    except price_answers.TooManyQuestions as refusal:
        return HttpResponse(refusal.message, status=429, content_type="text/plain; charset=utf-8")
    return HttpResponse(status=204)
