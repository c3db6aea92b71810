from typing import ClassVar, Self

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from marketplace.accounts.actors import Actor
from marketplace.accounts.capabilities import Capability
from marketplace.accounts.models import Licence, Organisation
from marketplace.core.models import RowQuerySet, Staged
from marketplace.deals.models import Deal

from .rules import codes, credentials, status_list
from .rules.mass_balance import Balance, Output, balance
from .wording import Material


class ProcessingReportQuerySet(RowQuerySet["ProcessingReport"]):
    def visible_to(self, actor: Actor) -> Self:
        """Staff see every report; the seller and the buyer of the deal see theirs."""
        if actor.sees_everything:
            return self
        mine = actor.organisation_id
        if mine is None:
            return self.none()
        return self.filter(Q(processor=mine) | Q(deal__seller=mine) | Q(deal__buyer=mine))

    def counting(self) -> Self:
        """Those whose kilograms are used up: all but the refused."""
        return self.exclude(status=ProcessingReport.Status.REFUSED)


class ProcessingReport(Staged):
    """What a processor says came out of the batteries of a deal."""

    class Kind(models.TextChoices):
        RECYCLED = credentials.RECYCLED, _("Recycled")
        REPURPOSED = credentials.REPURPOSED, _("Repurposed")

    class Status(models.TextChoices):
        SUBMITTED = "SUBMITTED", _("Being proved")
        PROVED = "PROVED", _("Proved")
        REFUSED = "REFUSED", _("Refused")

    NEXT: ClassVar = {
        Status.SUBMITTED: frozenset({Status.PROVED, Status.REFUSED}),
        Status.PROVED: frozenset(),
        Status.REFUSED: frozenset(),
    }

    deal = models.ForeignKey(Deal, models.PROTECT, related_name="processing_reports")
    processor = models.ForeignKey(Organisation, models.PROTECT, related_name="processing_reports")
    licence = models.ForeignKey(Licence, models.PROTECT, related_name="processing_reports")
    kind = models.CharField(max_length=12, choices=Kind)
    input_kg = models.DecimalField(max_digits=10, decimal_places=3)
    residue_kg = models.DecimalField(max_digits=10, decimal_places=3)
    loss_kg = models.DecimalField(max_digits=10, decimal_places=3)
    processed_on = models.DateField()
    note = models.TextField(max_length=1000, blank=True)
    status = models.CharField(max_length=12, choices=Status, default=Status.SUBMITTED)
    refusal = models.TextField(blank=True)
    submitted_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)
    request_id = models.UUIDField()

    objects = ProcessingReportQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["SUBMITTED", "PROVED", "REFUSED"]),
                name="processing_status_known",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=[credentials.RECYCLED, credentials.REPURPOSED]),
                name="processing_kind_known",
            ),
            models.CheckConstraint(condition=Q(input_kg__gt=0), name="processing_has_input"),
            models.CheckConstraint(
                condition=Q(residue_kg__gte=0, loss_kg__gte=0),
                name="processing_masses_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(residue_kg__lte=F("input_kg"), loss_kg__lte=F("input_kg")),
                name="processing_residue_and_loss_within_input",
            ),
            models.CheckConstraint(
                condition=Q(status="SUBMITTED", decided_at=None)
                | (
                    ~Q(status="SUBMITTED")
                    & Q(decided_at__isnull=False, decided_at__gte=F("submitted_at"))
                ),
                name="processing_is_dated_once_decided",
            ),
            models.CheckConstraint(
                condition=(Q(status="REFUSED") & ~Q(refusal=""))
                | (~Q(status="REFUSED") & Q(refusal="")),
                name="processing_refusal_has_a_reason",
            ),
            models.UniqueConstraint(
                fields=["processor", "request_id"], name="processing_reported_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.input_kg} kg, deal {self.deal_id}"

    def fractions(self) -> list[Output]:
        """Return what came out, in the order in which it was reported."""
        return [Output(row.material, row.mass_kg, row.units) for row in self.outputs.all()]

    def balance(self) -> Balance:
        """Return the sums, checked once more.

        :raises Imbalance: if the rows contradict each other
        """
        return balance(
            self.input_kg, self.fractions(), residue_kg=self.residue_kg, loss_kg=self.loss_kg
        )


class ReportOutput(models.Model):
    """A fraction that came out: always weighed, and counted if it lives on as a product."""

    report = models.ForeignKey(ProcessingReport, models.CASCADE, related_name="outputs")
    material = models.CharField(max_length=20, choices=Material)
    mass_kg = models.DecimalField(max_digits=10, decimal_places=3)
    units = models.PositiveIntegerField(null=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(condition=Q(material__in=Material.values), name="output_known"),
            models.CheckConstraint(condition=Q(mass_kg__gt=0), name="output_has_mass"),
            models.CheckConstraint(
                condition=(
                    Q(material__in=["CELLS", "MODULES", "PACKS"])
                    & Q(units__isnull=False, units__gt=0)
                )
                | (~Q(material__in=["CELLS", "MODULES", "PACKS"]) & Q(units=None)),
                name="output_products_are_counted",
            ),
            models.UniqueConstraint(fields=["report", "material"], name="output_reported_once"),
        ]

    def __str__(self) -> str:
        return f"{self.material} {self.mass_kg} kg"


class StatusList(models.Model):
    """One published list of 131,072 bits. The bits are made from the certificates each time, never kept here.

    ``version`` grows with every withdrawal; ``signed_version`` says which one the signed text shows.
    """

    opened_at = models.DateTimeField()
    version = models.PositiveIntegerField(default=1)
    signed_version = models.PositiveIntegerField(default=0)
    signed = models.TextField(blank=True)
    signed_at = models.DateTimeField(null=True)
    valid_until = models.DateTimeField(null=True)

    objects: RowQuerySet["StatusList"] = RowQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(signed="", signed_version=0, signed_at=None, valid_until=None)
                | (
                    ~Q(signed="")
                    & Q(signed_version__gt=0)
                    & Q(signed_at__isnull=False)
                    & Q(valid_until__isnull=False, valid_until__gt=F("signed_at"))
                ),
                name="status_list_signed_whole",
            ),
            models.CheckConstraint(
                condition=Q(signed_version__lte=F("version")), name="status_list_not_ahead"
            ),
        ]

    def __str__(self) -> str:
        return f"Status list {self.pk}, version {self.version}"


class CertificateQuerySet(RowQuerySet["Certificate"]):
    def visible_to(self, actor: Actor) -> Self:
        """In lists: an organisation sees those of its deals; whoever may revoke sees all. By code, everybody may look."""
        if actor.sees_everything or actor.may(Capability.CERTIFICATE_REVOKE):
            return self
        mine = actor.organisation_id
        if mine is None:
            return self.none()
        return self.filter(
            Q(holder=mine) | Q(report__deal__seller=mine) | Q(report__deal__buyer=mine)
        )

    def public(self) -> Self:
        """What everybody may look at who has the code: all of them. Its 53 bits keep strangers from leafing through."""
        return self


class Certificate(Staged):
    """An issued certificate: the exact signed bytes, and whether they still stand."""

    class Status(models.TextChoices):
        ISSUED = "ISSUED", _("Valid")
        REVOKED = "REVOKED", _("Withdrawn")

    NEXT: ClassVar = {
        Status.ISSUED: frozenset({Status.REVOKED}),
        Status.REVOKED: frozenset(),
    }

    code = models.CharField(max_length=codes.LENGTH, unique=True)
    report = models.OneToOneField(ProcessingReport, models.PROTECT, related_name="certificate")
    holder = models.ForeignKey(Organisation, models.PROTECT, related_name="certificates")
    certified_kg = models.DecimalField(max_digits=10, decimal_places=3)
    recovered_share = models.DecimalField(max_digits=5, decimal_places=4)
    signed = models.TextField()
    sha256 = models.CharField(max_length=64, unique=True)
    kid = models.CharField(max_length=200)
    status_list = models.ForeignKey(StatusList, models.PROTECT, related_name="certificates")
    status_index = models.PositiveIntegerField()
    status = models.CharField(max_length=10, choices=Status, default=Status.ISSUED)
    issued_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    revocation_reason = models.TextField(blank=True)

    objects = CertificateQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["ISSUED", "REVOKED"]), name="certificate_status_known"
            ),
            models.CheckConstraint(
                condition=Q(code__regex=rf"^[{codes.ALPHABET}]{{{codes.LENGTH}}}$"),
                name="certificate_code_readable",
            ),
            models.CheckConstraint(
                condition=Q(sha256__regex=r"^[0-9a-f]{64}$"), name="certificate_digest_whole"
            ),
            models.CheckConstraint(condition=~Q(signed=""), name="certificate_is_signed"),
            models.CheckConstraint(condition=Q(certified_kg__gt=0), name="certificate_has_mass"),
            models.CheckConstraint(
                condition=Q(recovered_share__range=(0, 1)), name="certificate_share_in_range"
            ),
            models.CheckConstraint(
                condition=Q(status_index__lt=status_list.SIZE), name="certificate_index_in_list"
            ),
            models.CheckConstraint(
                condition=Q(status="ISSUED", revoked_at=None, revocation_reason="")
                | (
                    Q(
                        status="REVOKED",
                        revoked_at__isnull=False,
                        revoked_at__gte=F("issued_at"),
                    )
                    & ~Q(revocation_reason="")
                ),
                name="certificate_revoked_with_date_and_reason",
            ),
            models.UniqueConstraint(
                fields=["status_list", "status_index"], name="certificate_has_its_own_bit"
            ),
        ]
        indexes = [models.Index(fields=["holder", "-id"], name="certificate_by_holder")]

    def __str__(self) -> str:
        return codes.spaced(self.code)

    @property
    def letters(self) -> str:
        """The six signs that are printed on the paper."""
        return codes.letters_to_compare(self.signed.encode())


class CertificatePaper(models.Model):
    """A certificate as PDF, in one language."""

    certificate = models.ForeignKey(Certificate, models.PROTECT, related_name="papers")
    language = models.CharField(max_length=10)
    file = models.FileField(upload_to="", max_length=200)
    sha256 = models.CharField(max_length=64)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["certificate", "language"], name="certificate_printed_once_a_language"
            ),
            models.CheckConstraint(
                condition=Q(sha256__regex=r"^[0-9a-f]{64}$"), name="paper_digest_whole"
            ),
            models.CheckConstraint(condition=~Q(file=""), name="paper_has_a_file"),
        ]

    def __str__(self) -> str:
        return f"{self.certificate_id} ({self.language})"


class WithdrawalQuerySet(RowQuerySet["Withdrawal"]):
    def visible_to(self, actor: Actor) -> Self:
        """A proposal is for those who decide; the outcome stands on the certificate."""
        decides = actor.sees_everything or actor.may(Capability.CERTIFICATE_REVOKE)
        return self if decides else self.none()


class Withdrawal(Staged):
    """Somebody proposes to revoke a certificate; somebody else decides."""

    class Status(models.TextChoices):
        PROPOSED = "PROPOSED", _("Waiting for a second person")
        CONFIRMED = "CONFIRMED", _("Confirmed")
        DISMISSED = "DISMISSED", _("Dismissed")

    NEXT: ClassVar = {
        Status.PROPOSED: frozenset({Status.CONFIRMED, Status.DISMISSED}),
        Status.CONFIRMED: frozenset(),
        Status.DISMISSED: frozenset(),
    }

    certificate = models.ForeignKey(Certificate, models.PROTECT, related_name="withdrawals")
    public_reason = models.TextField(max_length=500)
    status = models.CharField(max_length=10, choices=Status, default=Status.PROPOSED)
    proposed_by_id = models.BigIntegerField()
    proposed_at = models.DateTimeField()
    decided_by_id = models.BigIntegerField(null=True)
    decided_at = models.DateTimeField(null=True)

    objects = WithdrawalQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["PROPOSED", "CONFIRMED", "DISMISSED"]),
                name="withdrawal_status_known",
            ),
            models.CheckConstraint(condition=~Q(public_reason=""), name="withdrawal_has_a_reason"),
            models.CheckConstraint(
                condition=Q(status="PROPOSED", decided_by_id=None, decided_at=None)
                | (
                    ~Q(status="PROPOSED")
                    & Q(
                        decided_by_id__isnull=False,
                        decided_at__isnull=False,
                        decided_at__gte=F("proposed_at"),
                    )
                ),
                name="withdrawal_decided_whole",
            ),
            models.CheckConstraint(
                condition=~Q(status="CONFIRMED") | ~Q(decided_by_id=F("proposed_by_id")),
                name="withdrawal_takes_two_people",
            ),
            models.UniqueConstraint(
                fields=["certificate"],
                condition=~Q(status="DISMISSED"),
                name="withdrawal_one_at_a_time",
            ),
        ]

    def __str__(self) -> str:
        return f"Withdrawal of {self.certificate_id}: {self.status}"
