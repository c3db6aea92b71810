from dataclasses import dataclass

from marketplace.journal.events import Event


@dataclass(frozen=True)
class OrganisationFounded(Event):
    organisation_id: int


@dataclass(frozen=True)
class OrganisationChanged(Event):
    """Its name, place, currency, tax number or tier is another one now."""

    organisation_id: int


@dataclass(frozen=True)
class OrganisationFrozen(Event):
    """Nobody may act for it until it is released."""

    organisation_id: int
    reason: str


@dataclass(frozen=True)
class OrganisationReleased(Event):
    organisation_id: int
    reason: str


@dataclass(frozen=True)
class CodeRequested(Event):
    """Somebody wants to join with an address. The code itself stands nowhere; it is computed when it is sent."""

    code_id: int


@dataclass(frozen=True)
class PersonJoined(Event):
    user_id: int


@dataclass(frozen=True)
class PersonChanged(Event):
    user_id: int


@dataclass(frozen=True)
class MemberInvited(Event):
    invitation_id: int


@dataclass(frozen=True)
class MemberAdded(Event):
    organisation_id: int
    user_id: int
    role: str


@dataclass(frozen=True)
class MemberRemoved(Event):
    organisation_id: int
    user_id: int
    role: str


@dataclass(frozen=True)
class TokenIssued(Event):
    token_id: int


@dataclass(frozen=True)
class TokenRevoked(Event):
    token_id: int


@dataclass(frozen=True)
class LicenceApplied(Event):
    """Somebody began an application."""

    licence_id: int


@dataclass(frozen=True)
class LicenceCorrected(Event):
    licence_id: int


@dataclass(frozen=True)
class LicenceClaimed(Event):
    """A verifier has taken it on, for a while."""

    licence_id: int


@dataclass(frozen=True)
class LicenceFieldChecked(Event):
    licence_id: int
    field: str
    matches: bool


@dataclass(frozen=True)
class LicenceApproved(Event):
    """One of the two approvals was given."""

    licence_id: int
    approvals: int


@dataclass(frozen=True)
class LicenceSubmitted(Event):
    licence_id: int


@dataclass(frozen=True)
class LicenceVerified(Event):
    licence_id: int


@dataclass(frozen=True)
class LicenceRefused(Event):
    licence_id: int


@dataclass(frozen=True)
class LicenceNeedsInfo(Event):
    licence_id: int


@dataclass(frozen=True)
class LicenceSuspended(Event):
    licence_id: int


@dataclass(frozen=True)
class LicenceReinstated(Event):
    licence_id: int


@dataclass(frozen=True)
class LicenceExpired(Event):
    licence_id: int
