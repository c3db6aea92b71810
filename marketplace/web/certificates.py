"""Certificates: checked by anybody, listed for whom they concern, reported for by recyclers, withdrawn by two."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import wraps
from typing import Any
from uuid import uuid4

import segno
from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, get_language_info
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import condition, require_POST, require_safe

from marketplace.accounts.capabilities import Capability
from marketplace.certificates import queries, services
from marketplace.certificates.keys import KeyUnusable
from marketplace.certificates.models import Certificate, ProcessingReport, Withdrawal
from marketplace.certificates.queries import Checked
from marketplace.certificates.rules import codes
from marketplace.certificates.rules.credentials import Facts, enveloped
from marketplace.certificates.rules.mass_balance import STAGE_OF, Output, Stage
from marketplace.certificates.rules.signatures import MEDIA_TYPE, Answer, Flaw
from marketplace.certificates.wording import ANSWERS, MATERIALS, TITLES, Material, country_name
from marketplace.deals.models import Deal

from .http import Keyset, WebRequest, go, login_needed, page, refusals, told

AS_JSON = ("application/vc", "application/ld+json", "application/json")
SAID = {
    Answer.GENUINE: lazy("This certificate was issued here and has not been changed."),
    Answer.WITHDRAWN: lazy("This certificate was issued here, and taken back. It counts no more."),
    Answer.ALTERED: lazy("What you have is not what we issued. Do not rely on it."),
    Answer.NOT_FOUND: lazy("We issued no such certificate. Check the 12 letters of its number."),
    Answer.UNKNOWN_ISSUER: lazy(
        "It is signed, but not by us. We can neither confirm nor deny it. Ask whoever issued it."
    ),
}
SEALS = {  # the shape and the colour of each answer; the words say the same
    Answer.GENUINE: ("badge-check", ""),
    Answer.WITHDRAWN: ("ban", "bad"),
    Answer.ALTERED: ("triangle-alert", "warn"),
    Answer.NOT_FOUND: ("circle-question-mark", "none"),
    Answer.UNKNOWN_ISSUER: ("building-2", "none"),
}
FLAWS = {
    Flaw.TOO_LONG: lazy("The file is larger than any certificate of ours."),
    Flaw.NOT_A_JWT: lazy("There is no readable certificate in it."),
    Flaw.UNKNOWN_KEY: lazy("It names us as its issuer, but the key is not ours."),
    Flaw.ISSUER_NOT_SIGNER: lazy("It names us as its issuer, but somebody else signed it."),
    Flaw.BAD_SIGNATURE: lazy("The signature does not fit the text: something was changed."),
}
View = Callable[..., HttpResponse]


@dataclass(frozen=True)
class Line:
    """A row of the mass balance, and its part of the bar."""

    name: str
    mass_kg: Decimal
    share: Decimal
    paint: str
    units: int | None = None
    start: str = "0"
    width: str = "0"


def or_try_later(view: View) -> View:
    """Say that nothing can be checked now when the published keys are out of reach. Never a false alarm."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except KeyUnusable:
            response = page(request, "web/certificates/later.html", status=503)
            response.headers["Retry-After"] = "300"
            return response

    return guarded


# --- for everybody -----------------------------------------------------------------------------------
@require_safe
@or_try_later
def certificate(request: WebRequest, code: str) -> HttpResponse:
    """The certificate page for people; for programs that ask for it, the signed credential."""
    exact = codes.read_code(code)
    if exact and exact != code:
        return redirect("certificate", exact, permanent=True)
    wanted = request.get_preferred_type(["text/html", MEDIA_TYPE, *AS_JSON])
    checked = queries.check_code(code)
    if checked.certificate and wanted == MEDIA_TYPE:
        response = _signed_text(checked.certificate.signed)
    elif checked.certificate and wanted in AS_JSON:
        response = _open(JsonResponse(enveloped(checked.certificate.signed), content_type=wanted))
    else:
        response = _answer(request, checked)
    patch_vary_headers(response, ["Accept"])
    response.headers["Cache-Control"] = "no-cache"
    return response


@require_safe
def certificate_credential(request: WebRequest, code: str) -> HttpResponse:
    """The exact bytes that were issued."""
    found = queries.certificate_with(code)
    if found is None:
        raise Http404
    response = _signed_text(found.signed)
    response.headers["Content-Disposition"] = f'attachment; filename="{found.code}.vc.jwt"'
    return response


@require_safe
def certificate_paper(request: WebRequest, code: str) -> HttpResponse | FileResponse:
    """The PDF, in the reader's language or the one they ask for."""
    found = queries.certificate_with(code)
    paper = (
        queries.paper_of(found, request.GET.get("language") or get_language() or "en")
        if found
        else None
    )
    if found is None or paper is None:
        raise Http404
    name = f"{found.code}-{paper.language}.pdf"
    return FileResponse(paper.file.open(), content_type="application/pdf", filename=name)


class NumberForm(forms.Form):
    code = forms.CharField(
        label=lazy("Number"),
        max_length=60,
        help_text=lazy("12 letters and digits, as on the paper: K7Q2-M9XT-4RBC"),
        error_messages={"required": lazy("Enter the number that stands on the paper.")},
    )


class FileForm(forms.Form):
    file = forms.FileField(
        label=lazy("Or the file"),
        help_text=lazy("The PDF, or the file inside it that ends in .jwt or .json."),
        widget=forms.FileInput(attrs={"accept": ".pdf,.jwt,.json,.txt"}),
        error_messages={"required": lazy("Choose the file that you were given.")},
    )

    def clean_file(self) -> UploadedFile:
        file: UploadedFile = self.cleaned_data["file"]
        if (file.size or 0) > queries.LARGEST_FILE:
            raise forms.ValidationError(
                _("That file is larger than any certificate of ours (1 MB). Choose another one.")
            )
        return file


@or_try_later
def verify(request: WebRequest) -> HttpResponse:
    """Check a number, or a file."""
    sent = request.POST if request.method == "POST" else request.GET
    by_number = NumberForm(sent if "code" in sent else None)
    brings_file = request.method == "POST" and "code" not in sent
    by_file = FileForm(sent, request.FILES) if brings_file else FileForm()
    if by_file.is_valid():
        file = by_file.cleaned_data["file"]
        return _answer(request, queries.check_file(file.read()), from_file=file.name)
    if by_number.is_valid():
        typed = by_number.cleaned_data["code"]
        exact = codes.read_code(typed)
        return (
            go(request, "certificate", exact)
            if exact
            else _answer(request, queries.check_code(typed))
        )
    context = {"by_number": by_number, "by_file": by_file}
    status = 422 if by_number.is_bound or by_file.is_bound else 200
    return page(request, "web/certificates/verify.html", context, status=status)


@require_safe
def scheme(request: WebRequest) -> HttpResponse:
    """What a certificate means: the page that every credential names as its scheme."""
    return page(request, "web/certificates/scheme.html")


@require_safe
@or_try_later
def did_document(request: WebRequest) -> HttpResponse:
    """Who we are and which keys are ours, for every verifier."""
    response = JsonResponse(
        queries.published_did_document(), content_type="application/did+ld+json"
    )
    return _open(response, seconds=300)


def _list_etag(request: HttpRequest, number: int) -> str | None:
    found = queries.published_list(number)
    if found is None or found.signed_at is None:
        return None
    wanted = request.get_preferred_type([MEDIA_TYPE, *AS_JSON])
    return f'"{number}-{found.signed_version}-{found.signed_at.timestamp():.0f}-{wanted}"'


@require_safe
@condition(etag_func=_list_etag)
def status_list(request: WebRequest, number: int) -> HttpResponse:
    """The list that says which certificates were withdrawn. No log-in, and nobody is written down."""
    found = queries.published_list(number)
    if found is None:
        raise Http404
    wanted = request.get_preferred_type([MEDIA_TYPE, *AS_JSON])
    response = (
        _open(JsonResponse(enveloped(found.signed), content_type=wanted), seconds=300)
        if wanted in AS_JSON
        else _signed_text(found.signed, seconds=300)
    )
    patch_vary_headers(response, ["Accept"])
    return response


def _signed_text(signed: str, *, seconds: int = 0) -> HttpResponse:
    return _open(HttpResponse(signed, content_type=MEDIA_TYPE), seconds=seconds)


def _open(response: HttpResponse, *, seconds: int = 0) -> HttpResponse:
    """Let programs of every site read it, and caches keep it for as long as it cannot mislead."""
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = f"public, max-age={seconds}" if seconds else "no-cache"
    return response


def _answer(request: HttpRequest, checked: Checked, *, from_file: str = "") -> HttpResponse:
    shape, tone = SEALS[checked.answer]
    context = {
        "checked": checked,
        "answer": ANSWERS[checked.answer],
        "said": SAID[checked.answer],
        "why": FLAWS.get(checked.flaw) if checked.flaw else "",
        "shape": shape,
        "tone": tone,
        "from_file": from_file,
        "certificate": checked.certificate,
        "code": codes.spaced(checked.code) if codes.read_code(checked.code) else checked.code,
    }
    if checked.facts and checked.certificate:
        context |= {
            "facts": checked.facts,
            "title": TITLES[checked.facts.kind],
            "lines": _lines(checked.facts),
            "collected_in": country_name(checked.facts.collected_in),
            "processed_in": country_name(checked.facts.processed_in),
            "qr": _qr(f"{settings.SITE_URL}{reverse('certificate', args=[checked.code])}"),
            "languages_printed": [
                get_language_info(paper.language) for paper in checked.certificate.papers.all()
            ],
        }
    unknown = checked.answer is Answer.NOT_FOUND and not from_file
    status = 404 if unknown else 200
    return page(request, "web/certificates/certificate.html", context, status=status)


def _lines(facts: Facts) -> list[Line]:
    parts = [
        (MATERIALS[o.material], o.mass_kg, o.units, STAGE_OF[o.material]) for o in facts.outputs
    ]
    found: list[Line] = []
    at = Decimal(0)
    paints = {Stage.MATERIAL: "kept", Stage.PRODUCT: "kept", Stage.INTERMEDIATE: "passed"}
    rows = [(str(name), kg, units, paints[stage]) for name, kg, units, stage in parts]
    rows += [
        (_("Residue"), facts.residue_kg, None, "residue"),
        (_("Loss"), facts.loss_kg, None, "loss"),
    ]
    for name, mass_kg, units, paint in rows:
        share = mass_kg / facts.input_kg
        # Written here, not in the template: a decimal comma breaks a drawing.
        place = {"start": f"{at * 100:.2f}", "width": f"{share * 100:.2f}"}
        found.append(Line(name, mass_kg, share, paint, units, **place))
        at += share
    return found


def _qr(address: str) -> SafeString:
    drawing = segno.make(address, error="m", micro=False)
    text = drawing.svg_inline(border=2, dark="#0e1916", light="#fff", omitsize=True)
    return mark_safe(text)  # noqa: S308 — drawn here, from an address of ours


# --- for those whom it concerns ------------------------------------------------------------------------
@login_needed
@require_safe
def certificates(request: WebRequest) -> HttpResponse:
    """The certificates of one's own deals; for those who may withdraw, all of them."""
    rows = Certificate.objects.visible_to(request.actor).select_related(
        "holder", "report__deal__lot__chemistry"
    )
    shown = Keyset(rows, "-pk", size=25, after=request.GET.get("after"))
    decides = request.actor.may(Capability.CERTIFICATE_REVOKE)
    waiting = (
        Withdrawal.objects.visible_to(request.actor)
        .filter(status=Withdrawal.Status.PROPOSED)
        .select_related("certificate")
        .order_by("pk")
    )
    context = {"page": shown, "decides": decides, "waiting": waiting[:50] if decides else []}
    return page(request, "web/certificates/list.html", context)


class OutputForm(forms.Form):
    material = forms.ChoiceField(label=lazy("What"), choices=[("", "–"), *Material.choices])
    mass_kg = forms.DecimalField(
        label=lazy("Mass"),
        max_digits=10,
        decimal_places=3,
        localize=True,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    units = forms.IntegerField(
        label=lazy("Pieces"),
        required=False,
        min_value=1,
        max_value=1_000_000,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )


OutputForms = forms.formset_factory(OutputForm, extra=3, max_num=22, absolute_max=30)
DECIMAL = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})


class ReportForm(forms.Form):
    kind = forms.ChoiceField(
        label=lazy("What did you do with them?"),
        choices=ProcessingReport.Kind.choices,
        widget=forms.RadioSelect,
    )
    input_kg = forms.DecimalField(
        label=lazy("What went in"),
        max_digits=10,
        decimal_places=3,
        localize=True,
        widget=DECIMAL,
    )
    residue_kg = forms.DecimalField(
        label=lazy("Residue: disposed of"),
        max_digits=10,
        decimal_places=3,
        localize=True,
        widget=DECIMAL,
    )
    loss_kg = forms.DecimalField(
        label=lazy("Loss: moisture, dust, vapour"),
        max_digits=10,
        decimal_places=3,
        localize=True,
        widget=DECIMAL,
    )
    processed_on = forms.DateField(
        label=lazy("On which day?"),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    note = forms.CharField(
        label=lazy("Note"),
        max_length=1000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    request_id = forms.UUIDField(widget=forms.HiddenInput)


@login_needed
def processing_report(request: WebRequest, pk: int) -> HttpResponse:
    """Say what was recovered from a deal, and see what became of earlier reports."""
    deal = get_object_or_404(
        Deal.objects.visible_to(request.actor).select_related("lot__chemistry", "buyer", "seller"),
        pk=pk,
    )
    left_kg = queries.left_to_report(deal)
    may_report = request.actor.may(Capability.PROCESSING_REPORT) and (
        request.actor.organisation_id == deal.buyer_id
    )
    asks_for_rows = "more" in request.POST
    sent = request.POST if request.method == "POST" else None
    first = {"input_kg": left_kg or None, "kind": "RECYCLED", "request_id": uuid4()}
    form = ReportForm(sent, initial=first)
    outputs = OutputForms(_with_more_rows(sent) if asks_for_rows and sent else sent, prefix="out")
    if sent and not asks_for_rows and form.is_valid() and outputs.is_valid():
        with refusals(form):
            services.report_processing(
                deal,
                actor=request.actor,
                outputs=[
                    Output(row["material"], row["mass_kg"], row["units"])
                    for row in (one.cleaned_data for one in outputs)
                    if row.get("material")
                ],
                now=timezone.now(),
                **form.cleaned_data,
            )
            messages.success(request, _("Reported. The certificate is being made."))
            return go(request, "processing-report", deal.pk)
    reports = (
        ProcessingReport.objects.visible_to(request.actor)
        .filter(deal=deal)
        .select_related("certificate")
        .prefetch_related("outputs")
        .order_by("-pk")
    )
    context = {
        "deal": deal,
        "left_kg": left_kg,
        "reports": reports,
        "may_report": may_report and left_kg > 0,
        "form": form,
        "outputs": outputs,
    }
    failed = sent is not None and not asks_for_rows
    return page(request, "web/certificates/report.html", context, status=422 if failed else 200)


def _with_more_rows(sent: Any) -> Any:
    """Two more rows to fill in, without a script."""
    more = sent.copy()
    try:
        more["out-TOTAL_FORMS"] = str(min(int(more.get("out-TOTAL_FORMS", 4)) + 2, 22))
    except ValueError:
        more["out-TOTAL_FORMS"] = "4"
    return more


class WithdrawalForm(forms.Form):
    public_reason = forms.CharField(
        label=lazy("Why?"),
        help_text=lazy("Everybody who checks the certificate will read this."),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
    )


@login_needed
def certificate_withdrawal(request: WebRequest, code: str) -> HttpResponse:
    """Propose to withdraw a certificate, or see the proposal that waits for a second person."""
    if not request.actor.may(Capability.CERTIFICATE_REVOKE):
        raise Http404
    found = get_object_or_404(
        Certificate.objects.visible_to(request.actor).select_related("holder"), code=code
    )
    form = WithdrawalForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with refusals(form):
            services.propose_withdrawal(
                found, actor=request.actor, now=timezone.now(), **form.cleaned_data
            )
            messages.success(request, _("Proposed. A colleague has to confirm it."))
            return go(request, "certificate-withdrawal", found.code)
    proposals = (
        Withdrawal.objects.visible_to(request.actor).filter(certificate=found).order_by("-pk")
    )
    context = {
        "certificate": found,
        "form": form,
        "proposals": proposals,
        "open": next((p for p in proposals if p.status == Withdrawal.Status.PROPOSED), None),
    }
    status = 422 if form.errors else 200
    return page(request, "web/certificates/withdrawal.html", context, status=status)


@login_needed
@require_POST
def withdrawal_decide(request: WebRequest, pk: int) -> HttpResponse:
    """Confirm or dismiss a proposal."""
    proposal = get_object_or_404(
        Withdrawal.objects.visible_to(request.actor).select_related(
            "certificate__report__deal", "certificate__holder"
        ),
        pk=pk,
    )
    decide = (
        services.confirm_withdrawal
        if request.POST.get("decision") == "confirm"
        else services.dismiss_withdrawal
    )
    with told(request):
        decide(proposal, actor=request.actor, now=timezone.now())
        messages.success(request, _("Decided."))
    return go(request, "certificate-withdrawal", proposal.certificate.code)
