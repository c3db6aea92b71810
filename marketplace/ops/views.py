from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from marketplace.accounts.actors import Actor

from . import health


class OpsRequest(HttpRequest):
    actor: Actor


@never_cache
@require_safe
def livez(request: HttpRequest) -> HttpResponse:
    """Say that this process can answer. It asks nothing else, so that a restart can only help."""
    return HttpResponse("ok\n", content_type="text/plain")


@never_cache
@require_safe
def readyz(request: OpsRequest) -> HttpResponse:
    """Say whether the site can serve. Staff read what was found; the public reads one word."""
    found = health.findings(now=timezone.now())
    status = health.verdict(found)
    body: dict[str, object] = {"status": status}
    # Who asks is in the database: without one everybody is the public.
    if status != "down" and request.actor.sees_everything:
        body["found"] = {finding.name: finding.detail for finding in found}
    return JsonResponse(body, status=503 if status == "down" else 200)
