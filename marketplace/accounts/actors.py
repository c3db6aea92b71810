from dataclasses import dataclass

from django.core.exceptions import PermissionDenied

from .capabilities import GRANTS, Capability
from .models import Membership, User


@dataclass(frozen=True, slots=True)
class Actor:
    """Who is acting, for which organisation, and what they may do there.

    Every service takes one, every queryset is filtered by one: it is the whole permission layer.
    """

    name: str
    user_id: int | None = None
    organisation_id: int | None = None
    group: str = ""
    country: str = ""
    roles: frozenset[str] = frozenset()
    capabilities: frozenset[Capability] = frozenset()
    sees_everything: bool = False

    def require(self, capability: Capability, *, of: int | None = None) -> int:
        """Return the organisation that the actor may do this for, or raise.

        :param of: the organisation that owns the thing; only its own members pass
        :raises PermissionDenied: if the capability is missing, or is held in another organisation
        """
        acts_for = self.organisation_id
        if acts_for is None or capability not in self.capabilities or of not in (None, acts_for):
            raise PermissionDenied
        return acts_for

    def may(self, capability: Capability) -> bool:
        """Tell whether ``require`` would pass, for pages that show or hide a button."""
        return self.organisation_id is not None and capability in self.capabilities


ANONYMOUS = Actor(name="anonymous")
SYSTEM = Actor(name="system", sees_everything=True)


def actor_of(user: User, *, organisation_id: int | None = None) -> Actor:
    """Return what this user is allowed to be today, acting for one of their organisations.

    :param organisation_id: the one they chose; their oldest one if they did not, or are no member of it
    """
    memberships = list(
        Membership.objects.filter(user=user, organisation__status="ACTIVE")
        .select_related("organisation")
        .order_by("pk")
    )
    mine = [m for m in memberships if m.organisation_id == organisation_id] or [
        m for m in memberships if m.organisation_id == memberships[0].organisation_id
    ]
    name = f"user:{user.pk}"
    if not mine:
        return Actor(name=name, user_id=user.pk, sees_everything=user.is_staff)
    organisation = mine[0].organisation
    return Actor(
        name=name,
        user_id=user.pk,
        organisation_id=organisation.pk,
        group=organisation.group,
        country=organisation.country,
        roles=frozenset(m.role for m in mine),
        capabilities=frozenset().union(*(GRANTS[m.role] for m in mine)),
        sees_everything=user.is_staff,
    )
