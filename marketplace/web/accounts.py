"""Joining, a forgotten password, acting for an organisation, its members and keys, and one's own settings."""

from functools import wraps
from typing import Any, cast
from uuid import uuid4

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l
from django.views.decorators.http import require_POST

from marketplace.accounts import services
from marketplace.accounts.actors import ANONYMOUS
from marketplace.accounts.addresses import AddressRefused, is_phone, normal_address
from marketplace.accounts.capabilities import Capability, Role
from marketplace.accounts.middleware import ACTING_FOR
from marketplace.accounts.models import (
    ApiToken,
    Invitation,
    Membership,
    Organisation,
    SignUpCode,
    User,
)
from marketplace.accounts.queries import unused_proof
from marketplace.notifications.queries import preference_of
from marketplace.notifications.services import set_preference
from marketplace.reference.models import Country
from marketplace.reference.queries import City, search_cities

from .http import View, WebRequest, go, login_needed, page, refusals, told
from .templatetags.house import locale

JOINING, PROOF, SECRET = "joining", "proof", "new_secret"
BACKEND = "allauth.account.auth_backends.AuthenticationBackend"

ROLES = [
    (Role.COLLECTOR, _l("I collect or repair, and sell batteries")),
    (Role.RECYCLER, _l("I recycle")),
    (Role.INTEGRATOR, _l("I build second-life products")),
    (Role.CARRIER, _l("I carry goods")),
    (Role.PRODUCER, _l("I make or import batteries")),
]


def strangers_only(view: View) -> View:
    """Send people who are logged in home: these pages are for those who are not."""

    @wraps(view)
    def guarded(request: WebRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.user.is_authenticated:
            return go(request, "home")
        return view(request, *args, **kwargs)

    return guarded  # type: ignore[return-value]


def countries() -> list[tuple[str, str]]:
    codes = Country.objects.visible_to(ANONYMOUS).values_list("code", flat=True)
    return sorted(((code, country_name(code)) for code in codes), key=lambda row: row[1])


def country_name(code: str) -> str:
    """Return what the reader's language calls a country."""
    return str(locale().territories.get(code, code))


def currencies() -> list[tuple[str, str]]:
    codes = Country.objects.visible_to(ANONYMOUS).values_list("currency", flat=True)
    return [(code, code) for code in sorted({*codes, "USD"})]


def found_city(country: str, text: str) -> City | None:
    """Return the town that somebody wrote, the largest of its name; nothing for nothing.

    :raises ValidationError: if there is none of this name; it says which ones are like it
    """
    wanted = text.strip()
    if not wanted:
        return None
    found = search_cities(country, wanted, limit=6)
    exact = [city for city in found if city.name.casefold() == wanted.casefold()]
    if exact:
        return exact[0]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(city.name for city in found)
        raise ValidationError(_("Which one? Write it as here: %(names)s.") % {"names": names})
    raise ValidationError(_("We do not know this town. Write the next larger one."))


# --- joining --------------------------------------------------------------------------------------


class AddressForm(forms.Form):
    address = forms.CharField(
        label=_l("E-mail or phone number"),
        max_length=254,
        help_text=_l("A phone number with its country code, such as +62 812 3456 7890."),
        widget=forms.TextInput(attrs={"autocomplete": "username"}),
    )

    def clean_address(self) -> str:
        try:
            return normal_address(self.cleaned_data["address"])
        except AddressRefused as refusal:
            raise ValidationError(refusal.message, code=refusal.code) from refusal


class CodeForm(forms.Form):
    code = forms.CharField(
        label=_l("The 6 digits that we sent"),
        max_length=12,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )

    def clean_code(self) -> str:
        return "".join(self.cleaned_data["code"].split())


class PasswordForm(forms.Form):
    password = forms.CharField(
        label=_l("New password"),
        max_length=128,
        strip=False,
        help_text=_l("At least 8 characters. Three words are easy to keep in mind."),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )


class JoinForm(PasswordForm):
    name = forms.CharField(
        label=_l("Your name"),
        max_length=120,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    role = forms.ChoiceField(label=_l("What do you do?"), choices=ROLES, widget=forms.RadioSelect)
    organisation_name = forms.CharField(
        label=_l("Shop or company"),
        max_length=200,
        required=False,
        help_text=_l("Leave it empty if you work alone."),
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
    )
    country = forms.ChoiceField(label=_l("Country"))
    city = forms.CharField(
        label=_l("Town"), max_length=80, help_text=_l("The town alone; nobody sees your street.")
    )
    language = forms.ChoiceField(label=_l("Language of messages"), choices=settings.LANGUAGES)
    currency = forms.ChoiceField(
        label=_l("Currency"), required=False, help_text=_l("Empty: the one of your country.")
    )
    request_id = forms.UUIDField(widget=forms.HiddenInput)

    field_order = ["name", "role", "organisation_name", "country", "city", "language", "currency"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["country"].choices = countries()  # type: ignore[attr-defined]
        self.fields["currency"].choices = [("", "–"), *currencies()]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        if "country" in cleaned and cleaned.get("city"):
            try:
                city = found_city(cleaned["country"], cleaned.pop("city"))
            except ValidationError as unknown:
                self.add_error("city", unknown)
            else:
                cleaned["geoname_id"] = city.geoname_id if city else None
        return cleaned


@strangers_only
def sign_up(request: WebRequest) -> HttpResponse:
    """Step 1 of joining: an address. Known and unknown ones get the same answer."""
    return _ask_address(request, "web/accounts/sign_up.html")


@strangers_only
def forgotten(request: WebRequest) -> HttpResponse:
    """Step 1 of a new password: the same, for the code decides what follows."""
    return _ask_address(request, "web/accounts/forgotten.html")


def _ask_address(request: WebRequest, template: str) -> HttpResponse:
    form = AddressForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with refusals(form):
            row = services.request_code(now=timezone.now(), **form.cleaned_data)
            request.session[JOINING] = row.address
            return go(request, "join-code")
    return page(request, template, {"form": form}, status=422 if form.errors else 200)


@strangers_only
def join_code(request: WebRequest) -> HttpResponse:
    """Step 2: the digits prove that the address is theirs."""
    address = request.session.get(JOINING)
    if not address:
        return go(request, "account_signup")
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with refusals(form):
            proof = services.prove_address(address=address, now=timezone.now(), **form.cleaned_data)
            request.session[PROOF] = proof.pk
            known = services.person_at(address) is not None
            return go(request, "new-password" if known else "join")
    context = {"form": form, "address": address, "by_phone": is_phone(address)}
    status = 422 if form.errors else 200
    return page(request, "web/accounts/join_code.html", context, status=status)


@require_POST
def code_again(request: WebRequest) -> HttpResponse:
    """Send another code to the same address."""
    address = request.session.get(JOINING)
    if not address:
        return go(request, "account_signup")
    with told(request):
        services.request_code(address=address, now=timezone.now())
        messages.success(request, _("A new code is on its way."))
    return go(request, "join-code")


@strangers_only
def join(request: WebRequest) -> HttpResponse:
    """Step 3 for new people: who they are."""
    proof = _proof(request)
    if proof is None:
        return go(request, "account_signup")
    first = {
        "request_id": uuid4(),
        "language": get_language(),
        "country": _country_of(proof.address),
        "role": Role.COLLECTOR,
    }
    form = JoinForm(request.POST or None, initial=first)
    if request.method == "POST" and form.is_valid():
        with refusals(form):
            user = services.sign_up(proof=proof, now=timezone.now(), **_joined(form))
            _forget(request)
            login(request, user, backend=BACKEND)
            messages.success(request, _("Welcome. Your account is open."))
            return go(request, "home")
    context = {"form": form, "address": proof.address}
    return page(request, "web/accounts/join.html", context, status=422 if form.errors else 200)


@strangers_only
def new_password(request: WebRequest) -> HttpResponse:
    """Step 3 for people whom we know. Log-in asks for the second factor, if there is one."""
    proof = _proof(request)
    if proof is None:
        return go(request, "account_reset_password")
    form = PasswordForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with refusals(form):
            services.set_new_password(proof=proof, now=timezone.now(), **form.cleaned_data)
            _forget(request)
            messages.success(request, _("Your new password counts. Log in with it."))
            return go(request, "account_login")
    context = {"form": form, "address": proof.address}
    status = 422 if form.errors else 200
    return page(request, "web/accounts/new_password.html", context, status=status)


def _joined(form: JoinForm) -> dict[str, Any]:
    fields = dict(form.cleaned_data)
    fields["currency"] = fields["currency"] or None
    return fields


def _proof(request: WebRequest) -> SignUpCode | None:
    return unused_proof(request.session.get(PROOF))


def _forget(request: WebRequest) -> None:
    request.session.pop(JOINING, None)
    request.session.pop(PROOF, None)


def _country_of(address: str) -> str:
    if not is_phone(address):
        return ""
    rows = Country.objects.visible_to(ANONYMOUS).values_list("code", "calling_code")
    return next((code for code, prefix in rows if address.startswith(prefix)), "")


# --- acting for -----------------------------------------------------------------------------------


@login_needed
@require_POST
def act_for(request: WebRequest) -> HttpResponse:
    """Choose the organisation that one acts for from here on."""
    chosen = request.POST.get("organisation", "")
    if not chosen.isdecimal():
        raise Http404
    mine = services.acting_for(actor=request.actor, organisation_id=int(chosen))
    request.session[ACTING_FOR] = mine.pk
    messages.success(request, _("You now act for %(name)s.") % {"name": mine.name})
    to = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(to, {request.get_host()}, request.is_secure()):
        return go(request, to)
    return go(request, "home")


# --- the organisation -----------------------------------------------------------------------------


class OrganisationForm(forms.Form):
    name = forms.CharField(label=_l("Name"), max_length=200)
    city = forms.CharField(label=_l("Town"), max_length=80, required=False)
    currency = forms.ChoiceField(label=_l("Currency of values and sales"))
    tax_number = forms.CharField(
        label=_l("Tax number"),
        max_length=40,
        required=False,
        help_text=_l("Not needed to sell. It stands on papers if you enter it."),
    )

    def __init__(self, *args: Any, country: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.country = country
        self.fields["currency"].choices = currencies()  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        try:
            city = found_city(self.country, cleaned.pop("city", ""))
        except ValidationError as unknown:
            self.add_error("city", unknown)
        else:
            cleaned["geoname_id"] = city.geoname_id if city else None
        return cleaned


class InviteForm(forms.Form):
    address = forms.CharField(label=_l("E-mail or phone number"), max_length=254)
    role = forms.ChoiceField(label=_l("Role"), choices=Role.choices)

    def __init__(self, *args: Any, roles: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offered = [(role.value, role.label) for role in Role if role in roles]
        self.fields["role"].choices = offered  # type: ignore[attr-defined]


@login_needed
def organisation(request: WebRequest) -> HttpResponse:
    """The organisation that one acts for: what it says of itself, and who may act for it."""
    mine = _mine(request)
    if mine is None:
        return page(
            request,
            "web/accounts/no_organisation.html",
            {"invitations": _invitations(request)},
        )
    form = OrganisationForm(
        request.POST or None,
        country=mine.country,
        initial={
            "name": mine.name,
            "city": mine.place,
            "currency": mine.currency,
            "tax_number": mine.tax_number,
        },
    )
    if request.method == "POST" and form.is_valid():
        with refusals(form):
            services.update_organisation(
                mine, actor=request.actor, now=timezone.now(), **form.cleaned_data
            )
            messages.success(request, _("Saved."))
            return go(request, "organisation")
    context = {
        "form": form,
        "organisation": mine,
        "country": country_name(mine.country),
        "may_manage": request.actor.may(Capability.ORGANISATION_MANAGE),
    }
    status = 422 if form.errors else 200
    return page(request, "web/accounts/organisation.html", context, status=status)


@login_needed
def members(request: WebRequest) -> HttpResponse:
    """Who acts for the organisation, and who was invited to."""
    mine = _mine(request)
    if mine is None:
        return go(request, "organisation")
    memberships = mine.memberships.select_related("user").order_by("user__name", "pk")
    roles = sorted({*services.SELF_CHOSEN_ROLES, *(m.role for m in memberships)})
    form = InviteForm(request.POST or None, roles=roles, initial={"role": memberships[0].role})
    if request.method == "POST" and form.is_valid():
        with refusals(form):
            services.invite_member(
                mine, actor=request.actor, now=timezone.now(), **form.cleaned_data
            )
            messages.success(request, _("Invited. They join with this address."))
            return go(request, "members")
    context = {
        "form": form,
        "organisation": mine,
        "memberships": memberships,
        "invitations": Invitation.objects.visible_to(request.actor)
        .filter(organisation=mine)
        .waiting(timezone.now())
        .order_by("-pk")[:50],
        "may_manage": request.actor.may(Capability.ORGANISATION_MANAGE),
    }
    status = 422 if form.errors else 200
    return page(request, "web/accounts/members.html", context, status=status)


@login_needed
@require_POST
def member_remove(request: WebRequest, pk: int) -> HttpResponse:
    membership = get_object_or_404(
        Membership.objects.visible_to(request.actor).select_related("organisation"), pk=pk
    )
    with told(request):
        services.remove_member(membership, actor=request.actor, now=timezone.now())
        messages.success(request, _("Removed."))
    return go(request, "members")


@login_needed
@require_POST
def invitation_accept(request: WebRequest, pk: int) -> HttpResponse:
    made = Invitation.objects.visible_to(request.actor).made_to(request.actor.user_id)
    invitation = get_object_or_404(made, pk=pk)
    with told(request):
        services.accept_invitation(invitation, actor=request.actor, now=timezone.now())
        request.session[ACTING_FOR] = invitation.organisation_id
        messages.success(request, _("Welcome. You may now act for it."))
    return go(request, "home")


def _invitations(request: WebRequest) -> list[Invitation]:
    made = Invitation.objects.visible_to(request.actor).made_to(request.actor.user_id)
    rows = made.waiting(timezone.now())
    return list(rows.select_related("organisation").order_by("pk"))


def _mine(request: WebRequest) -> Organisation | None:
    rows = Organisation.objects.visible_to(request.actor)
    return rows.filter(pk=_acts_for(request)).first()


def _acts_for(request: WebRequest) -> int:
    return request.actor.organisation_id or 0


# --- keys for programs ----------------------------------------------------------------------------


class TokenForm(forms.Form):
    name = forms.CharField(
        label=_l("Name"), max_length=60, help_text=_l("Of the program that uses it.")
    )
    days = forms.IntegerField(label=_l("Days that it works"), min_value=1, max_value=366)


@login_needed
def tokens(request: WebRequest) -> HttpResponse:
    """Keys for programs. A new one shows its secret once, on the page after it was made."""
    form = TokenForm(request.POST or None, initial={"days": 90})
    if request.method == "POST" and form.is_valid():
        with refusals(form):
            _token, secret = services.issue_token(
                actor=request.actor, now=timezone.now(), **form.cleaned_data
            )
            request.session[SECRET] = secret
            return go(request, "tokens")
    rows = ApiToken.objects.visible_to(request.actor).order_by("-pk")[:100]
    context = {
        "form": form,
        "tokens": rows,
        "secret": request.session.pop(SECRET, None) if request.method == "GET" else None,
        "now": timezone.now(),
    }
    return page(request, "web/accounts/tokens.html", context, status=422 if form.errors else 200)


@login_needed
@require_POST
def token_revoke(request: WebRequest, pk: int) -> HttpResponse:
    token = get_object_or_404(ApiToken.objects.visible_to(request.actor), pk=pk)
    with told(request):
        services.revoke_token(token, actor=request.actor, now=timezone.now())
        messages.success(request, _("This key opens nothing any more."))
    return go(request, "tokens")


# --- one's own settings ---------------------------------------------------------------------------


class SettingsForm(forms.Form):
    name = forms.CharField(label=_l("Your name"), max_length=120)
    language = forms.ChoiceField(label=_l("Language of messages"), choices=settings.LANGUAGES)


class CopiesForm(forms.Form):
    email = forms.BooleanField(label=_l("Send messages by e-mail too"), required=False)
    text_messages = forms.BooleanField(label=_l("Send text messages too"), required=False)


@login_needed
def own_settings(request: WebRequest) -> HttpResponse:
    """A person's name and language, and links to password and second factor."""
    me = cast(User, request.user)
    form = SettingsForm(request.POST or None, initial={"name": me.name, "language": me.language})
    if request.method == "POST" and form.is_valid():
        with refusals(form):
            services.update_person(actor=request.actor, now=timezone.now(), **form.cleaned_data)
            messages.success(request, _("Saved."))
            response = go(request, "settings")
            # the browser's own choice would win over the person's: let it go
            response.delete_cookie(settings.LANGUAGE_COOKIE_NAME)
            return response
    preference = preference_of(me.pk)
    copies = {"email": preference.email, "text_messages": preference.text_messages}
    context = {
        "form": form,
        "copies_form": CopiesForm(initial=copies),
        "me": me,
        "invitations": _invitations(request),
    }
    status = 422 if form.errors else 200
    return page(request, "web/accounts/settings.html", context, status=status)


@login_needed
@require_POST
def own_copies(request: WebRequest) -> HttpResponse:
    form = CopiesForm(request.POST)
    if form.is_valid():
        set_preference(actor=request.actor, **form.cleaned_data)
        messages.success(request, _("Saved."))
    return go(request, "settings")
