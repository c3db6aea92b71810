import secrets
from argparse import ArgumentParser
from dataclasses import replace
from typing import Any
from uuid import uuid4

from allauth.account.models import EmailAddress
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from marketplace.accounts import services
from marketplace.accounts.actors import SYSTEM, actor_of
from marketplace.accounts.capabilities import Role
from marketplace.accounts.models import Organisation, User
from marketplace.core.errors import Refused
from marketplace.reference.queries import search_cities


class Command(BaseCommand):
    help = (
        "Appoint somebody to an office that nobody may take for themselves: staff, verifier or regulator. "
        "Prints the password of a new account."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")
        parser.add_argument(
            "--role", choices=["STAFF", Role.VERIFIER, Role.REGULATOR], required=True
        )
        parser.add_argument(
            "--organisation", help="its name; founded if there is none (not for staff)"
        )
        parser.add_argument("--country", default="SG", help="of a new organisation, two letters")
        parser.add_argument("--town", default="", help="of a new organisation")

    @transaction.atomic
    def handle(
        self,
        *,
        email: str,
        role: str,
        organisation: str | None,
        country: str,
        town: str,
        **options: Any,
    ) -> None:
        if role != "STAFF" and not organisation:
            raise CommandError("Name the organisation that they act for: --organisation NAME.")
        user, password = _person(email)
        if role == "STAFF":
            user.is_staff = user.is_superuser = True
            user.save(update_fields=["is_staff", "is_superuser"])
        elif organisation:
            try:
                self._join(user, role, organisation, country, town)
            except Refused as refusal:
                raise CommandError(refusal.message) from refusal
        self.stdout.write(f"{email} is {role.lower()} now.")
        if password:
            self.stdout.write(f"Password: {password}")

    def _join(self, user: User, role: str, name: str, country: str, town: str) -> None:
        now = timezone.now()
        found = Organisation.objects.filter(name=name, country=country).first()
        if found is not None:
            services.add_member(found, actor=SYSTEM, user=user, role=role, now=now)
            return
        places = search_cities(country, town, limit=1)
        services.found_organisation(
            actor=replace(actor_of(user), sees_everything=True),  # whoever may run this is staff
            name=name,
            role=role,
            country=country,
            geoname_id=places[0].geoname_id if places else None,
            request_id=uuid4(),
            now=now,
        )


def _person(email: str) -> tuple[User, str]:
    """Return who has this address, and the password if the account is new."""
    known = User.objects.filter(email=email.lower()).first()
    if known is not None:
        return known, ""
    password = secrets.token_urlsafe(12)
    user = User.objects.create_user(email=email, password=password)
    EmailAddress.objects.create(user=user, email=user.email or "", verified=True, primary=True)
    return user, password
