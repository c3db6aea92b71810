"""What every page uses. Every page works without JavaScript; htmx, when it is there, asks for less of it.

``docs/pages.md`` shows how the pieces fit together.
"""

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q, QuerySet
from django.forms import BaseForm
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render, resolve_url
from django.utils.cache import patch_vary_headers
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from marketplace.accounts.actors import Actor
from marketplace.core.errors import Refused

Row = TypeVar("Row", bound=models.Model)
View = TypeVar("View", bound=Callable[..., HttpResponse])


class WebRequest(HttpRequest):
    """A request that has passed our middleware."""

    actor: Actor
    htmx: HtmxDetails
    request_id: str


def page(
    request: HttpRequest,
    template: str,
    context: dict[str, Any] | None = None,
    *,
    fragment: str | None = None,
    status: int = 200,
) -> HttpResponse:
    """Render the page, or only its fragment if that is what htmx asked for.

    :param fragment: the name of a ``{% partialdef %}`` in the template; none: always the whole page
    :param status: 422 when a form comes back with errors
    """
    htmx: HtmxDetails | None = getattr(request, "htmx", None)
    partly = fragment and htmx and not htmx.boosted and not htmx.history_restore_request
    response = render(
        request, f"{template}#{fragment}" if partly else template, context, status=status
    )
    if fragment:
        patch_vary_headers(response, ["HX-Request"])
    return response


def go(request: HttpRequest, to: str, *args: Any, **kwargs: Any) -> HttpResponse:
    """Send the browser to another page, with or without htmx. ``to`` is a path name or an address of ours."""
    url = resolve_url(to, *args, **kwargs)
    if getattr(request, "htmx", None):
        return HttpResponseClientRedirect(url)
    return HttpResponseRedirect(url)


@contextmanager
def refusals(form: BaseForm) -> Iterator[None]:
    """Turn what a service refuses into an error of the form, beside the field it speaks of::

    if form.is_valid():
        with refusals(form):
            bid = services.place_bid(…, **form.cleaned_data)
            return go(request, "lot", bid.lot_id)
    return page(request, "web/lot.html", {…}, fragment="bid-form", status=422)
    """
    try:
        yield
    except Refused as refusal:
        field = refusal.field if refusal.field in form.fields else None
        form.add_error(field, ValidationError(refusal.message, code=refusal.code))


@contextmanager
def told(request: HttpRequest) -> Iterator[None]:
    """Turn what a service refuses into a message on the next page. For buttons without a form::

    with told(request):
        services.withdraw_lot(lot, actor=request.actor, now=timezone.now())
    return go(request, "lot", lot.pk)
    """
    try:
        yield
    except Refused as refusal:
        messages.error(request, refusal.message)


def login_needed(view: View) -> View:
    """Ask who it is, then come back here. Under htmx the whole page moves, not only the fragment."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.user.is_authenticated:
            return view(request, *args, **kwargs)
        if not getattr(request, "htmx", None):
            return redirect_to_login(request.get_full_path())
        shown = urlsplit(request.headers.get("HX-Current-URL", ""))
        came_from = f"{shown.path or '/'}{'?' + shown.query if shown.query else ''}"
        return HttpResponseClientRedirect(redirect_to_login(came_from).url)

    return guarded  # type: ignore[return-value]


class Keyset(Generic[Row]):
    """One page of a long list. It costs the same on page 1 and on page 1,000, and new rows shift nothing.

    >>> page = Keyset(Lot.objects.visible_to(actor), "-listed_at", "-pk", after=request.GET.get("after"))
    ... # doctest: +SKIP

    :param keys: the order, as for ``order_by``; without nulls, and unique taken together (end with ``pk``)
    :param after: the ``after`` of the address, as the previous page gave it
    :raises Http404: if ``after`` is not something that we gave
    """

    def __init__(
        self, rows: QuerySet[Row], *keys: str, size: int = 50, after: str | None = None
    ) -> None:
        self.keys = keys or ("-pk",)
        self.is_first = not after
        rows = rows.order_by(*self.keys)
        if after:
            rows = rows.filter(self._beyond(rows, self._read(after)))
        found = list(rows[: size + 1])
        self.rows: Sequence[Row] = found[:size]
        self.after = self._write(found[size - 1]) if len(found) > size else ""

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def _beyond(self, rows: QuerySet[Row], values: Sequence[Any]) -> Q:
        beyond, equal = Q(), Q()
        for key, value in zip(self.keys, values, strict=True):
            name = key.removeprefix("-")
            try:
                exact = _field(rows, name).to_python(value)
            except ValidationError:
                raise Http404 from None
            beyond |= equal & Q(**{f"{name}__{'lt' if key.startswith('-') else 'gt'}": exact})
            equal &= Q(**{name: exact})
        return beyond

    def _write(self, row: Row) -> str:
        values = [str(_value(row, key.removeprefix("-"))) for key in self.keys]
        return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")

    def _read(self, after: str) -> list[Any]:
        try:
            values = json.loads(base64.urlsafe_b64decode(after + "=" * (-len(after) % 4)))
        except ValueError:
            raise Http404 from None
        if not isinstance(values, list) or len(values) != len(self.keys):
            raise Http404
        if not all(isinstance(value, str) and "\0" not in value for value in values):
            raise Http404
        return values


def _field(rows: QuerySet[Any], name: str) -> Any:
    if name in rows.query.annotations:
        return rows.query.annotations[name].output_field
    options: Any = rows.model._meta
    *path, last = name.split("__")
    for step in path:
        options = options.get_field(step).related_model._meta
    return options.pk if last == "pk" else options.get_field(last)


def _value(row: models.Model, name: str) -> Any:
    value: Any = row
    for step in name.split("__"):
        value = getattr(value, step)
    return value
