"""How the organisations of the demo market join: sign-up, members, licences and their checks, money, rate cards."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from uuid import UUID

from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.core.files.uploadedfile import SimpleUploadedFile

from marketplace.accounts import services as accounts
from marketplace.accounts.actors import Actor, actor_of
from marketplace.accounts.models import Licence, Organisation, User
from marketplace.accounts.rules import CHECKED_FIELDS
from marketplace.accounts.services.people import code_of
from marketplace.core.money import payable
from marketplace.freight import services as freight
from marketplace.ledger import services as ledger
from marketplace.reference.models import Country, LicenceType
from marketplace.reference.queries import City, convert, search_cities

from .cast import PASSWORD, Party
from .drawing import scanned_page

LANGUAGES = {"ID": "id"}


class QuickHasher(Argon2PasswordHasher):
    """For a password that is printed anyway. The first log-in replaces the hash by a slow one."""

    time_cost = 1
    memory_cost = 1024
    parallelism = 1


@dataclass(frozen=True, slots=True)
class Trader:
    """An organisation of the demo market, with the person who acts for it."""

    party: Party
    organisation: Organisation
    actor: Actor
    town: City


def chance_id(random: Random) -> UUID:
    """Return a request id that the same seed gives again."""
    return UUID(int=random.getrandbits(128), version=4)


def town_of(party: Party) -> City:
    """Return the party's town: the first that is found is the best match."""
    return search_cities(party.country, party.city)[0]


def person(email: str, name: str, *, language: str = "en", staff: bool = False) -> User:
    """Make somebody who did not sign up: staff, and whom an organisation employs."""
    make = User.objects.create_superuser if staff else User.objects.create_user
    user = make(email=email, password=PASSWORD, name=name, language=language)
    EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
    return user


def join(party: Party, *, random: Random, now: datetime) -> Trader:
    """Sign up with the code that was sent, as everybody does."""
    town = town_of(party)
    sent = accounts.request_code(address=party.address, country=party.country, now=now)
    proof = accounts.prove_address(address=sent.address, code=code_of(sent), now=now)
    user = accounts.sign_up(
        proof=proof,
        name=party.name,
        password=PASSWORD,
        role=party.role,
        organisation_name=party.name,
        country=party.country,
        geoname_id=town.geoname_id,
        language=LANGUAGES.get(party.country, "en"),
        request_id=chance_id(random),
        now=now + timedelta(minutes=4),
    )
    organisation = Organisation.objects.get(memberships__user=user)
    return Trader(party, organisation, actor_of(user), town)


def found_by_staff(party: Party, *, staff: Actor, random: Random, now: datetime) -> Trader:
    """Open an organisation that nobody may open for themselves: verifiers and regulators."""
    town = town_of(party)
    organisation = accounts.found_organisation(
        actor=staff,
        name=party.name,
        role=party.role,
        country=party.country,
        geoname_id=town.geoname_id,
        request_id=chance_id(random),
        now=now,
    )
    user = person(party.email, party.name)
    accounts.add_member(organisation, actor=staff, user=user, role=party.role, now=now)
    actor = actor_of(user, organisation_id=organisation.pk)
    for membership in organisation.memberships.exclude(user=user):
        accounts.remove_member(membership, actor=actor, now=now)
    return Trader(party, organisation, actor, town)


def hire(trader: Trader, *, now: datetime) -> None:
    """Let a second person act for an organisation, by invitation."""
    email = f"{trader.party.handle}.two@{trader.party.email.partition('@')[2]}"
    invitation = accounts.invite_member(
        trader.organisation, actor=trader.actor, address=email, role=trader.party.role, now=now
    )
    colleague = person(email, f"{trader.party.name} (2)")
    accounts.accept_invitation(invitation, actor=actor_of(colleague), now=now)


def apply(trader: Trader, *, random: Random, now: datetime, years: int = 3) -> Licence:
    """Hand in the licence that the party's trade needs, with a scan of it."""
    party = trader.party
    kind = LicenceType.objects.get(pk=party.licence)
    number = f"{kind.country_id}-{random.randrange(10_000, 99_999)}/{now.year - 1}"
    tonnes = f"{party.annual_tonnes:,} t a year"
    page = scanned_page(
        [kind.name, party.name, number, kind.issuer, party.city, tonnes],
        seed=random.randrange(2**31),
    )
    licence = accounts.apply_for_licence(
        actor=trader.actor,
        licence_type=kind,
        number=number,
        issuer=kind.issuer,
        site_name=f"{party.name}, {party.city}",
        site_geoname_id=trader.town.geoname_id,
        materials=list(party.materials),
        annual_mass_kg=Decimal(party.annual_tonnes * 1000),
        valid_from=now.date() - timedelta(days=random.randrange(40, 400)),
        valid_until=now.date() + timedelta(days=365 * years - random.randrange(200)),
        upload=SimpleUploadedFile("licence.png", page),
        request_id=chance_id(random),
        now=now,
    )
    return accounts.submit_licence(licence, actor=trader.actor, now=now)


def check(licence: Licence, *, verifier: Trader, now: datetime) -> Licence:
    """Compare every field with the paper and approve."""
    accounts.claim_licence(licence, actor=verifier.actor, now=now)
    for field in CHECKED_FIELDS:
        accounts.check_field(licence, actor=verifier.actor, field=field, matches=True, now=now)
    return accounts.approve_licence(licence, actor=verifier.actor, now=now)


def fund(trader: Trader, usd: Decimal, *, random: Random, now: datetime) -> None:
    """Pay in so much, in the organisation's own currency."""
    currency = trader.organisation.currency
    amount = payable(convert(usd, "USD", currency, now.date()), currency)
    ledger.top_up(
        actor=trader.actor,
        amount=amount,
        currency=currency,
        request_id=chance_id(random),
        now=now,
    )


def offer_transport(trader: Trader, licence: Licence, *, random: Random, now: datetime) -> None:
    """Publish a rate card for the carrier's country."""
    currency = Country.objects.get(pk=trader.party.country).currency

    def price(usd: float, places: str) -> Decimal:
        exact = convert(
            Decimal(str(round(usd * random.uniform(0.85, 1.2), 4))), "USD", currency, now.date()
        )
        return exact.quantize(Decimal(places))

    freight.publish_rate_card(
        licence,
        actor=trader.actor,
        name=f"{trader.party.city} 12 t",
        currency=currency,
        base=payable(price(28, "0.01"), currency),
        per_km=price(0.48, "0.0001"),
        per_kg=price(0.025, "0.0001"),
        dangerous_goods_share=Decimal("0.15"),
        countries=[trader.party.country],
        centre_latitude=Decimal(str(trader.town.latitude)),
        centre_longitude=Decimal(str(trader.town.longitude)),
        radius_km=3000,
        capacity_kg=Decimal(12_000),
        request_id=chance_id(random),
        now=now,
    )
