"""Licences: their holders apply and read what became of it; verifiers compare every field with the paper."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Count, Q
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l
from django.views.decorators.http import require_POST, require_safe

from marketplace.accounts import rules, services
from marketplace.accounts.actors import ANONYMOUS
from marketplace.accounts.capabilities import Capability
from marketplace.accounts.models import Document, Licence, LicenceCheck
from marketplace.accounts.queries import is_related, mass_left_kg
from marketplace.reference.models import Chemistry, LicenceType

from .accounts import country_name, found_city
from .http import Keyset, WebRequest, go, login_needed, page, refusals, told

FIELD_LABELS = {
    "number": _l("Number"),
    "issuer": _l("Issued by"),
    "country": _l("Country"),
    "site": _l("Site"),
    "materials": _l("Materials"),
    "annual_mass": _l("Kilograms a year"),
    "dates": _l("Valid from and until"),
    "document": _l("The paper is genuine and whole"),
}


class LicenceForm(forms.Form):
    licence_type = forms.ModelChoiceField(
        label=_l("Kind of licence"), queryset=LicenceType.objects.visible_to(ANONYMOUS)
    )
    number = forms.CharField(label=_l("Number on the licence"), max_length=80)
    issuer = forms.CharField(
        label=_l("Issued by"),
        max_length=200,
        required=False,
        help_text=_l("Empty: the authority that usually issues it."),
    )
    site_name = forms.CharField(label=_l("Site"), max_length=200, required=False)
    site_city = forms.CharField(label=_l("Town of the site"), max_length=80, required=False)
    materials = forms.MultipleChoiceField(
        label=_l("What it covers"),
        required=False,
        help_text=_l("Nothing ticked: everything that this kind of licence covers."),
        widget=forms.CheckboxSelectMultiple,
    )
    annual_mass_kg = forms.DecimalField(
        label=_l("Kilograms a year"),
        required=False,
        max_digits=12,
        decimal_places=3,
        min_value=0,
        help_text=_l("As on the licence. Empty if it names no mass."),
    )
    valid_from = forms.DateField(
        label=_l("Valid from"), widget=forms.DateInput(attrs={"type": "date"})
    )
    valid_until = forms.DateField(
        label=_l("Valid until"), widget=forms.DateInput(attrs={"type": "date"})
    )
    upload = forms.FileField(
        label=_l("Scan or photo of the licence"),
        required=False,
        help_text=_l("PDF, JPEG, PNG or WebP, at most 20 MB."),
        widget=forms.FileInput(attrs={"accept": "application/pdf,image/*"}),
    )
    request_id = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, country: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = LicenceType.objects.visible_to(ANONYMOUS)
        kinds = known.filter(country=country).exclude(allows=[]).order_by("name")
        self.country = country
        self.fields["licence_type"].queryset = kinds  # type: ignore[attr-defined]
        chemistries = (
            Chemistry.objects.visible_to(ANONYMOUS).order_by("code").values_list("code", "name")
        )
        self.fields["materials"].choices = list(chemistries)  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        try:
            city = found_city(self.country, cleaned.pop("site_city", ""))
        except ValidationError as unknown:
            self.add_error("site_city", unknown)
        else:
            cleaned["site_geoname_id"] = city.geoname_id if city else None
        return cleaned


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=_l("Reason"),
        max_length=2000,
        help_text=_l("The applicant reads it."),
        widget=forms.Textarea(attrs={"rows": 3}),
    )


class CheckForm(forms.Form):
    field = forms.ChoiceField(choices=[(name, name) for name in rules.CHECKED_FIELDS])
    matches = forms.TypedChoiceField(
        choices=[("yes", "yes"), ("no", "no")], coerce=lambda answer: answer == "yes"
    )
    note = forms.CharField(max_length=300, required=False)


# --- the holder's pages ---------------------------------------------------------------------------


@login_needed
@require_safe
def licences(request: WebRequest) -> HttpResponse:
    """The licences of one's own organisation, with what is left of their year."""
    actor = request.actor
    rows = Licence.objects.visible_to(actor).filter(organisation_id=actor.organisation_id or 0)
    shown = Keyset(rows.select_related("licence_type"), "-pk", after=request.GET.get("after"))
    left = mass_left_kg(shown.rows, timezone.now().year)
    context = {
        "page": shown,
        "licences": [(row, left[row.pk]) for row in shown],
        "may_apply": actor.may(Capability.LICENCE_APPLY),
    }
    return page(request, "web/licences/list.html", context)


@login_needed
def licence_apply(request: WebRequest) -> HttpResponse:
    """Write a licence down. ``then=submit`` hands it to the verifiers at once, if its paper is there."""
    actor = request.actor
    if not actor.may(Capability.LICENCE_APPLY):
        raise PermissionDenied
    form = LicenceForm(
        request.POST or None,
        request.FILES or None,
        country=actor.country,
        initial={"request_id": uuid4()},
    )
    if request.method == "POST" and form.is_valid():
        with refusals(form):
            licence = services.apply_for_licence(
                actor=actor, now=timezone.now(), **form.cleaned_data
            )
            return go(request, "licence", licence.pk)
    status = 422 if form.errors else 200
    return page(request, "web/licences/apply.html", {"form": form}, status=status)


@login_needed
@require_safe
def licence(request: WebRequest, pk: int) -> HttpResponse:
    """One licence: what it says, where it stands, and why."""
    row = get_object_or_404(
        Licence.objects.visible_to(request.actor).select_related("licence_type", "organisation"),
        pk=pk,
    )
    mine = row.organisation_id == request.actor.organisation_id
    may_check = request.actor.may(Capability.LICENCE_VERIFY) and not mine
    context = {
        "licence": row,
        "mine": mine,
        "country": country_name(row.country),
        "acts": [LicenceType.Use(act).label for act in row.acts],
        "left": mass_left_kg([row], timezone.now().year)[row.pk],
        "may_edit": mine and row.status in (Licence.Status.DRAFT, Licence.Status.NEEDS_INFO),
        "may_check": may_check,
        "reason_form": ReasonForm() if may_check else None,
        "approvals": row.approvals.count(),
    }
    return page(request, "web/licences/detail.html", context)


@login_needed
def licence_edit(request: WebRequest, pk: int) -> HttpResponse:
    """Correct an application that was not submitted, or came back."""
    row = _own(request, pk)
    form = LicenceForm(
        request.POST or None,
        request.FILES or None,
        country=row.country,
        initial={
            "licence_type": row.licence_type_id,
            "number": row.number,
            "issuer": row.issuer,
            "site_name": row.site_name,
            "site_city": row.site_place,
            "materials": row.materials,
            "annual_mass_kg": row.annual_mass_kg,
            "valid_from": row.valid_from,
            "valid_until": row.valid_until,
            "request_id": row.request_id,
        },
    )
    form.fields["licence_type"].disabled = True
    if request.method == "POST" and form.is_valid():
        fields = dict(form.cleaned_data)
        del fields["licence_type"], fields["request_id"]
        with refusals(form):
            services.correct_licence(row, actor=request.actor, now=timezone.now(), **fields)
            return go(request, "licence", row.pk)
    context = {"form": form, "licence": row}
    return page(request, "web/licences/apply.html", context, status=422 if form.errors else 200)


@login_needed
@require_POST
def licence_submit(request: WebRequest, pk: int) -> HttpResponse:
    row = _own(request, pk)
    with told(request):
        services.submit_licence(row, actor=request.actor, now=timezone.now())
        messages.success(request, _("Sent. Two people check it; we write to you."))
    return go(request, "licence", pk)


@login_needed
@require_safe
def document(request: WebRequest, pk: int) -> HttpResponse:
    """A paper, as a download: it is never shown inside one of our own pages."""
    paper = get_object_or_404(Document.objects.visible_to(request.actor), pk=pk)
    suffix = "pdf" if paper.content_type == "application/pdf" else "jpg"
    try:
        with paper.file.open("rb") as file:
            response = HttpResponse(file.read(), content_type=paper.content_type)
    except FileNotFoundError:
        raise Http404 from None
    response["Content-Disposition"] = f'attachment; filename="document-{paper.pk}.{suffix}"'
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["Cache-Control"] = "private, no-store"
    return response


def _own(request: WebRequest, pk: int) -> Licence:
    rows = Licence.objects.visible_to(request.actor).select_related("licence_type")
    return get_object_or_404(rows, pk=pk, organisation_id=request.actor.organisation_id or 0)


# --- the verifiers' pages -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Claimed:
    """One line of the right column: what the applicant says, and what was found."""

    field: str
    label: str
    value: Any
    check: LicenceCheck | None


@login_needed
@require_safe
def verify_queue(request: WebRequest) -> HttpResponse:
    """What waits to be checked, the longest wait first."""
    _verifiers_only(request)
    waiting = (
        Licence.objects.visible_to(request.actor)
        .filter(status__in=[Licence.Status.SUBMITTED, Licence.Status.CHECKING])
        .select_related("licence_type", "organisation", "claimed_by")
        .annotate(
            approval_count=Count("approvals", distinct=True),
            approved_by_me=Count(
                "approvals", filter=Q(approvals__approved_by=request.actor.user_id), distinct=True
            ),
        )
    )
    shown = Keyset(waiting, "submitted_at", "pk", after=request.GET.get("after"))
    context = {"page": shown, "now": timezone.now()}
    return page(request, "web/licences/queue.html", context)


@login_needed
@require_safe
def verify_licence(request: WebRequest, pk: int) -> HttpResponse:
    """Three columns: the queue, the paper, the claims with their checks."""
    _verifiers_only(request)
    return _verify_page(request, pk)


@login_needed
@require_POST
def licence_claim(request: WebRequest, pk: int) -> HttpResponse:
    row = _visible(request, pk)
    with told(request):
        services.claim_licence(row, actor=request.actor, now=timezone.now())
    return go(request, "verify-licence", pk)


@login_needed
@require_POST
def licence_let_go(request: WebRequest, pk: int) -> HttpResponse:
    row = _visible(request, pk)
    with told(request):
        services.let_go_licence(row, actor=request.actor, now=timezone.now())
    return go(request, "verify-queue")


@login_needed
@require_POST
def licence_check(request: WebRequest, pk: int) -> HttpResponse:
    row = _visible(request, pk)
    form = CheckForm(request.POST)
    if not form.is_valid():
        return go(request, "verify-licence", pk)
    with told(request):
        services.check_field(row, actor=request.actor, now=timezone.now(), **form.cleaned_data)
    return _to_field(request, pk, form.cleaned_data["field"])


@login_needed
@require_POST
def licence_approve(request: WebRequest, pk: int) -> HttpResponse:
    row = _visible(request, pk)
    with told(request):
        row = services.approve_licence(row, actor=request.actor, now=timezone.now())
        if row.status == Licence.Status.VERIFIED:
            messages.success(request, _("Approved by two. It counts from now on."))
        else:
            messages.success(request, _("Approved: 1st of 2. Somebody else gives the 2nd."))
        return go(request, "verify-queue")
    return go(request, "verify-licence", pk)


@login_needed
@require_POST
def licence_refuse(request: WebRequest, pk: int) -> HttpResponse:
    return _decide(request, pk, services.refuse_licence, _("Refused. The applicant reads why."))


@login_needed
@require_POST
def licence_ask(request: WebRequest, pk: int) -> HttpResponse:
    return _decide(request, pk, services.ask_for_info, _("Sent back. The applicant reads what."))


@login_needed
@require_POST
def licence_suspend(request: WebRequest, pk: int) -> HttpResponse:
    row = _visible(request, pk)
    form = ReasonForm(request.POST)
    reason = form.cleaned_data["reason"] if form.is_valid() else ""
    with told(request):
        services.suspend_licence(row, actor=request.actor, reason=reason, now=timezone.now())
        messages.success(request, _("Suspended. The holder reads why."))
    return go(request, "licence", pk)


@login_needed
@require_POST
def licence_reinstate(request: WebRequest, pk: int) -> HttpResponse:
    row = _visible(request, pk)
    with told(request):
        services.reinstate_licence(row, actor=request.actor, now=timezone.now())
        messages.success(request, _("It counts again."))
    return go(request, "licence", pk)


def _decide(
    request: WebRequest, pk: int, decide: Callable[..., Licence], done: str
) -> HttpResponse:
    row = _visible(request, pk)
    form = ReasonForm(request.POST)
    if form.is_valid():
        with refusals(form):
            decide(row, actor=request.actor, now=timezone.now(), **form.cleaned_data)
            messages.success(request, done)
            return go(request, "verify-queue")
    return _verify_page(request, pk, form=form, status=422)


def _verify_page(
    request: WebRequest, pk: int, *, form: ReasonForm | None = None, status: int = 200
) -> HttpResponse:
    actor, now = request.actor, timezone.now()
    rows = Licence.objects.visible_to(actor).select_related(
        "licence_type", "organisation", "document", "claimed_by"
    )
    row = get_object_or_404(rows, pk=pk)
    by_field = {check.field: check for check in row.checks.filter(checked_by=actor.user_id or 0)}
    claims = [
        Claimed(name, str(FIELD_LABELS[name]), _claimed_value(row, name), by_field.get(name))
        for name in rules.CHECKED_FIELDS
    ]
    queue = (
        Licence.objects.visible_to(actor)
        .filter(status__in=[Licence.Status.SUBMITTED, Licence.Status.CHECKING])
        .select_related("organisation")
        .order_by("submitted_at", "pk")[:20]
    )
    held = (
        row.status == Licence.Status.CHECKING
        and row.claimed_by_id == actor.user_id
        and row.claimed_until is not None
        and now < row.claimed_until
    )
    matching = [check.field for check in by_field.values() if check.matches]
    approvers = list(row.approvals.values_list("approved_by_id", flat=True))
    context = {
        "licence": row,
        "claims": claims,
        "queue": queue,
        "held": held,
        "may_claim": row.status in (Licence.Status.SUBMITTED, Licence.Status.CHECKING)
        and not held
        and actor.user_id not in approvers
        and not is_related(actor.user_id, row.organisation),
        "approved_by_me": actor.user_id in approvers,
        "is_relative": is_related(actor.user_id, row.organisation),
        "may_approve": held and not rules.missing_checks(matching),
        "approvals": len(approvers),
        "done": len(matching),
        "of": len(rules.CHECKED_FIELDS),
        "form": form or ReasonForm(),
    }
    return page(request, "web/licences/verify.html", context, status=status)


def _claimed_value(row: Licence, field: str) -> Any:
    values = {
        "number": row.number,
        "issuer": row.issuer,
        "country": country_name(row.country),
        "site": " · ".join(part for part in (row.site_name, row.site_place) if part) or "–",
        "materials": ", ".join(row.materials),
    }
    return values.get(field, "")


def _to_field(request: WebRequest, pk: int, field: str) -> HttpResponse:
    response = go(request, "verify-licence", pk)
    header = "Location" if "Location" in response else "HX-Redirect"
    response[header] += f"#check-{field}"
    return response


def _visible(request: WebRequest, pk: int) -> Licence:
    return get_object_or_404(Licence.objects.visible_to(request.actor), pk=pk)


def _verifiers_only(request: WebRequest) -> None:
    if not request.actor.may(Capability.LICENCE_VERIFY):
        raise PermissionDenied
