"""How allauth, which knows about log-in and second factors, meets our people."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.fields import PhoneField
from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from marketplace.core.errors import Refused

from .addresses import is_phone, normal_address
from .models import User


class Phone(PhoneField):  # type: ignore[misc]
    """A phone number as E.164."""

    def clean(self, value: Any) -> str:
        try:
            number = normal_address(value or "")
        except Refused as refusal:
            raise forms.ValidationError(refusal.message) from refusal
        if not is_phone(number):
            raise forms.ValidationError(_("Enter a phone number with its country code."))
        return number


class Adapter(DefaultAccountAdapter):  # type: ignore[misc]
    """People log in with an e-mail address or a phone number. Our own pages let them join and reset."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Allauth signs nobody up: ``marketplace.web.accounts`` does, with a code."""
        return False

    def phone_form_field(self, **kwargs: Any) -> Phone:
        return Phone(**kwargs)

    def get_user_by_phone(self, phone: str) -> User | None:
        try:
            number = normal_address(phone)
        except Refused:
            return None
        return User.objects.filter(phone=number).first()

    def get_phone(self, user: User) -> tuple[str, bool] | None:
        return (user.phone, True) if user.phone else None  # proved before there was a user

    def set_phone(self, user: User, phone: str, verified: bool) -> None:
        raise NotImplementedError("People join with their phone number; they do not change it yet.")

    def set_phone_verified(self, user: User, phone: str) -> None:
        raise NotImplementedError("A number is verified before there is a user.")

    def send_verification_code_sms(self, user: User, phone: str, code: str, **_later: Any) -> None:
        raise NotImplementedError("Codes are sent by marketplace.notifications.")
