from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils.translation import gettext as _

from marketplace.accounts import rules
from marketplace.accounts.actors import Actor
from marketplace.accounts.addresses import normal_address
from marketplace.accounts.capabilities import Capability, Role
from marketplace.accounts.events import (
    MemberAdded,
    MemberInvited,
    MemberRemoved,
    OrganisationChanged,
    OrganisationFounded,
    OrganisationFrozen,
    OrganisationReleased,
)
from marketplace.accounts.models import ApiToken, Invitation, Membership, Organisation, User
from marketplace.core.errors import Refused
from marketplace.core.locks import lock_word
from marketplace.journal.services import record
from marketplace.reference.models import Country
from marketplace.reference.queries import city, rate_per_usd

SELF_CHOSEN_ROLES = frozenset(
    {Role.COLLECTOR, Role.RECYCLER, Role.INTEGRATOR, Role.CARRIER, Role.PRODUCER}
)
"""Nobody makes themselves a verifier or a regulator: staff found those."""


class OrganisationRefused(Refused):
    code = "organisation_refused"


@transaction.atomic
def found_organisation(
    *,
    actor: Actor,
    name: str,
    role: str,
    country: str,
    geoname_id: int | None,
    request_id: UUID,
    now: datetime,
    currency: str | None = None,
    tax_number: str = "",
    group: str = "",
    tier: int = Organisation.Tier.PHONE,
) -> Organisation:
    """Open an organisation whose first member is the actor. No tax number is needed.

    The same ``request_id`` returns the same organisation. Only staff may found verifiers and regulators, set a
    tier, or say that it belongs to a group.

    :param country: two letters; one that reference data knows
    :param geoname_id: its town; must lie in the country
    :param currency: three letters; none: the country's own
    :raises PermissionDenied: if nobody is logged in, or only staff may do this
    :raises OrganisationRefused: if a field makes no sense
    """
    if actor.user_id is None:
        raise PermissionDenied
    special = role not in SELF_CHOSEN_ROLES or tier != Organisation.Tier.PHONE or bool(group)
    if special and not actor.sees_everything:
        raise PermissionDenied
    lock_word(f"organisation:{actor.user_id}:{request_id}")
    founded = Organisation.objects.filter(founded_by_id=actor.user_id, request_id=request_id)
    if repeated := founded.first():
        return repeated
    organisation = Organisation.objects.create(
        **_fields(name=name, country=country, geoname_id=geoname_id, currency=currency),
        tax_number=tax_number.strip()[:40],
        group=group,
        tier=tier,
        created_at=now,
        founded_by_id=actor.user_id,
        request_id=request_id,
    )
    Membership.objects.create(user_id=actor.user_id, organisation=organisation, role=role)
    record(OrganisationFounded(organisation_id=organisation.pk), by=actor, at=now)
    return organisation


@transaction.atomic
def update_organisation(
    organisation: Organisation,
    *,
    actor: Actor,
    name: str,
    geoname_id: int | None,
    currency: str,
    tax_number: str,
    now: datetime,
) -> Organisation:
    """Change what an organisation says about itself. Its country stays.

    :raises PermissionDenied: if it is not the actor's to manage
    :raises OrganisationRefused: if a field makes no sense
    """
    actor.require(Capability.ORGANISATION_MANAGE, of=organisation.pk)
    organisation = Organisation.objects.lock(organisation)
    fields = _fields(
        name=name, country=organisation.country, geoname_id=geoname_id, currency=currency
    )
    fields["tax_number"] = tax_number.strip()[:40]
    return _changed(organisation, fields, actor=actor, now=now)


@transaction.atomic
def set_currency(
    organisation: Organisation, *, actor: Actor, currency: str, now: datetime
) -> Organisation:
    """Choose the currency in which an organisation is shown values and sells.

    :raises PermissionDenied: if it is not the actor's to manage
    :raises RateMissing: if there is no exchange rate
    """
    actor.require(Capability.ORGANISATION_MANAGE, of=organisation.pk)
    organisation = Organisation.objects.lock(organisation)
    rate_per_usd(currency, now.date())
    return _changed(organisation, {"currency": currency}, actor=actor, now=now)


@transaction.atomic
def set_tier(organisation: Organisation, *, actor: Actor, tier: int, now: datetime) -> Organisation:
    """Say how well an organisation is known, which decides how much it may list. For verifiers and staff.

    :raises PermissionDenied: if the actor is neither
    """
    if not actor.sees_everything:
        actor.require(Capability.LICENCE_VERIFY)
    organisation = Organisation.objects.lock(organisation)
    return _changed(organisation, {"tier": Organisation.Tier(tier).value}, actor=actor, now=now)


@transaction.atomic
def freeze_organisation(
    organisation: Organisation, *, actor: Actor, reason: str, now: datetime
) -> Organisation:
    """Let nobody act for an organisation until it is released. For staff.

    :raises PermissionDenied: if the actor is no staff
    :raises OrganisationRefused: if it is frozen, or no reason is given
    """
    if not actor.sees_everything:
        raise PermissionDenied
    organisation = Organisation.objects.lock(organisation)
    if organisation.status != Organisation.Status.ACTIVE:
        raise OrganisationRefused(
            _("This organisation is frozen already."), code="organisation_frozen"
        )
    organisation.status = Organisation.Status.FROZEN
    organisation.save(update_fields=["status"])
    event = OrganisationFrozen(organisation_id=organisation.pk, reason=_reason(reason))
    record(event, by=actor, at=now)
    return organisation


@transaction.atomic
def release_organisation(
    organisation: Organisation, *, actor: Actor, reason: str, now: datetime
) -> Organisation:
    """Let people act for a frozen organisation again. For staff.

    :raises PermissionDenied: if the actor is no staff
    :raises OrganisationRefused: if it is not frozen, or no reason is given
    """
    if not actor.sees_everything:
        raise PermissionDenied
    organisation = Organisation.objects.lock(organisation)
    if organisation.status != Organisation.Status.FROZEN:
        raise OrganisationRefused(_("This organisation is not frozen."), code="organisation_active")
    organisation.status = Organisation.Status.ACTIVE
    organisation.save(update_fields=["status"])
    event = OrganisationReleased(organisation_id=organisation.pk, reason=_reason(reason))
    record(event, by=actor, at=now)
    return organisation


@transaction.atomic
def add_member(
    organisation: Organisation, *, actor: Actor, user: User, role: str, now: datetime
) -> Membership:
    """Let a person act for an organisation in one role. Asking again changes nothing.

    Pages invite instead, so that nobody becomes a member unasked.

    :raises PermissionDenied: if it is not the actor's to manage, or the role is not theirs to give
    """
    _require_role(organisation, actor, role)
    Organisation.objects.lock(organisation)
    held = Membership.objects.filter(user=user, organisation=organisation, role=role).first()
    if held is not None:
        return held
    return _add(organisation, user, role, actor=actor, now=now)


@transaction.atomic
def remove_member(membership: Membership, *, actor: Actor, now: datetime) -> None:
    """Take a role from a member. Their keys for the organisation stop working with their last role.

    :raises PermissionDenied: if it is not the actor's to manage
    :raises OrganisationRefused: if it is the last member
    """
    actor.require(Capability.ORGANISATION_MANAGE, of=membership.organisation_id)
    organisation = Organisation.objects.lock(membership.organisation)
    others = organisation.memberships.exclude(pk=membership.pk)
    if not others.exists():
        raise OrganisationRefused(
            _("You are the last member. Invite somebody else first."), code="last_member"
        )
    if not others.filter(user_id=membership.user_id).exists():
        ApiToken.objects.filter(
            organisation=organisation, user_id=membership.user_id, revoked_at=None
        ).update(revoked_at=now)
    event = MemberRemoved(
        organisation_id=organisation.pk, user_id=membership.user_id, role=membership.role
    )
    membership.delete()
    record(event, by=actor, at=now)


@transaction.atomic
def invite_member(
    organisation: Organisation, *, actor: Actor, address: str, role: str, now: datetime
) -> Invitation:
    """Offer a role to whoever owns an e-mail address or phone number. Asking again makes the offer last longer.

    :raises PermissionDenied: if it is not the actor's to manage, or the role is not theirs to give
    :raises AddressRefused: if it is neither an address nor a number
    """
    _require_role(organisation, actor, role)
    organisation = Organisation.objects.lock(organisation)
    invitation, _created = Invitation.objects.update_or_create(
        organisation=organisation,
        address=normal_address(address, country=organisation.country),
        role=role,
        accepted_at=None,
        defaults={
            "invited_by_id": actor.user_id,
            "invited_at": now,
            "expires_at": now + rules.INVITATION_LASTS,
        },
    )
    record(MemberInvited(invitation_id=invitation.pk), by=actor, at=now)
    return invitation


@transaction.atomic
def accept_invitation(invitation: Invitation, *, actor: Actor, now: datetime) -> Membership:
    """Become a member, as invited.

    :raises PermissionDenied: if it was made to somebody else
    :raises OrganisationRefused: if it has ended
    """
    user = User.objects.filter(pk=actor.user_id).first() if actor.user_id else None
    if user is None or invitation.address not in (user.email, user.phone):
        raise PermissionDenied
    organisation = Organisation.objects.lock(invitation.organisation)
    invitation = Invitation.objects.lock(invitation)
    held = Membership.objects.filter(
        user=user, organisation=organisation, role=invitation.role
    ).first()
    if held is not None:
        return held
    if invitation.accepted_at is not None or now >= invitation.expires_at:
        raise OrganisationRefused(
            _("This invitation has ended. Ask for a new one."), code="invitation_ended"
        )
    invitation.accepted_at = now
    invitation.save(update_fields=["accepted_at"])
    return _add(organisation, user, invitation.role, actor=actor, now=now)


def _add(
    organisation: Organisation, user: User, role: str, *, actor: Actor, now: datetime
) -> Membership:
    membership = Membership.objects.create(user=user, organisation=organisation, role=role)
    event = MemberAdded(organisation_id=organisation.pk, user_id=user.pk, role=role)
    record(event, by=actor, at=now)
    return membership


def _require_role(organisation: Organisation, actor: Actor, role: str) -> None:
    """Members give away roles that the organisation has; only staff bring in new ones beyond trade."""
    if actor.sees_everything:
        return
    actor.require(Capability.ORGANISATION_MANAGE, of=organisation.pk)
    held = organisation.memberships.filter(role=role).exists()
    if role not in SELF_CHOSEN_ROLES and not held:
        raise PermissionDenied


def _changed(
    organisation: Organisation, fields: dict[str, Any], *, actor: Actor, now: datetime
) -> Organisation:
    for field, value in fields.items():
        setattr(organisation, field, value)
    organisation.save(update_fields=list(fields))
    record(OrganisationChanged(organisation_id=organisation.pk), by=actor, at=now)
    return organisation


def _fields(
    *, name: str, country: str, geoname_id: int | None, currency: str | None
) -> dict[str, Any]:
    if not name.strip():
        raise OrganisationRefused(
            _("Enter a name. Your own will do."), code="name_missing", field="name"
        )
    where = Country.objects.filter(pk=country).first()
    if where is None:
        raise OrganisationRefused(
            _("We do not trade in this country yet. Choose one from the list."),
            code="country_unknown",
            field="country",
        )
    place = city(geoname_id) if geoname_id else None
    if geoname_id and (place is None or place.country != country):
        raise OrganisationRefused(
            _("This town does not lie in the country. Choose one from the list."),
            code="town_unknown",
            field="city",
        )
    chosen = currency or where.currency
    if not Country.objects.filter(currency=chosen).exists() and chosen != "USD":
        raise OrganisationRefused(
            _("Choose a currency from the list."), code="currency_unknown", field="currency"
        )
    return {
        "name": name.strip()[:200],
        "country": country,
        "currency": chosen,
        "geoname_id": place.geoname_id if place else None,
        "place": place.name if place else "",
        "latitude": Decimal(str(place.latitude)) if place else None,
        "longitude": Decimal(str(place.longitude)) if place else None,
    }


def _reason(reason: str) -> str:
    if not reason.strip():
        raise OrganisationRefused(
            _("Say why. It is kept in the journal."), code="reason_missing", field="reason"
        )
    return reason.strip()
