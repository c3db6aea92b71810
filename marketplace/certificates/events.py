from dataclasses import dataclass

from marketplace.journal.events import Event


@dataclass(frozen=True)
class ProcessingReported(Event):
    """A recycler or integrator said what became of the goods, and the masses add up."""

    report_id: int
    deal_id: int
    lot_id: int = 0
    kind: str = ""
    input_kg: str = ""
    recovered_share: str = ""


@dataclass(frozen=True)
class ReportContradicted(Event):
    """A report that was believed at first cannot be certified; the processor reads why."""

    report_id: int
    deal_id: int
    code: str


@dataclass(frozen=True)
class CertificateIssued(Event):
    certificate_id: int
    deal_id: int
    report_id: int = 0
    lot_id: int = 0
    code: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class WithdrawalProposed(Event):
    """Somebody wants a certificate revoked; a second person has to decide."""

    withdrawal_id: int
    certificate_id: int
    code: str


@dataclass(frozen=True)
class WithdrawalDismissed(Event):
    withdrawal_id: int
    certificate_id: int
    code: str


@dataclass(frozen=True)
class CertificateRevoked(Event):
    certificate_id: int
    deal_id: int = 0
    lot_id: int = 0
    code: str = ""
    reason: str = ""


@dataclass(frozen=True)
class StatusListSigned(Event):
    list_id: int
    version: int
    sha256: str
