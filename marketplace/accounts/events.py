from dataclasses import dataclass

from marketplace.journal.events import Event


@dataclass(frozen=True)
class OrganisationFounded(Event):
    organisation_id: int


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
