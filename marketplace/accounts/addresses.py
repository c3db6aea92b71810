"""Where a person can be reached: one field takes an e-mail address or a phone number."""

import phonenumbers
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _

from marketplace.core.errors import Refused


class AddressRefused(Refused):
    code = "address_invalid"


def is_phone(address: str) -> bool:
    """Tell whether a normal address is a phone number.

    >>> is_phone("+6281234567890"), is_phone("a@b.example")
    (True, False)
    """
    return address.startswith("+")


def normal_address(text: str, *, country: str | None = None, field: str = "address") -> str:
    """Return an e-mail address in lower case, or a phone number as E.164.

    :param country: where a number without "+" is dialled; none: it must begin with "+"
    :raises AddressRefused: if it is neither

    >>> normal_address(" Asha@Example.ORG ")
    'asha@example.org'
    >>> normal_address("0812-3456-7890", country="ID")
    '+6281234567890'
    """
    text = text.strip()
    if "@" in text:
        try:
            validate_email(text)
        except ValidationError:
            raise AddressRefused(
                _("This e-mail address is not complete. Correct it."), field=field
            ) from None
        return text.lower()
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        raise _no_number(field) from None
    if not phonenumbers.is_possible_number(number):
        raise _no_number(field)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _no_number(field: str) -> AddressRefused:
    return AddressRefused(
        _(
            "Enter an e-mail address, or a phone number with its country code, such as +62 812 3456 7890."
        ),
        field=field,
    )
