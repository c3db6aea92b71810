"""What is known of a lot beyond what its owner says: codes on it, its battery passport, and tests of its health.

Evidence is only ever added, and kept as it was given, doubts and all: what is not believed is kept and flagged.
"""

from typing import TYPE_CHECKING, Self, TypeVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from marketplace.accounts.models import Licence, Organisation, User
from marketplace.core.models import RowQuerySet
from marketplace.lots.rules.identifiers import PUBLIC_FACTS, masked

from .lot import Lot, LotPhoto

if TYPE_CHECKING:
    from marketplace.accounts.actors import Actor


Row = TypeVar("Row", bound=models.Model)


class EvidenceQuerySet(RowQuerySet[Row]):
    def visible_to(self, actor: "Actor") -> Self:
        """Whoever sees the lot sees what is known of it."""
        return self.filter(lot__in=Lot.objects.visible_to(actor))


def _with_interest(actor: "Actor") -> Q:
    """Whose battery it is, or who holds a verified licence and may come to treat it.

    The health of a single battery and what happened to it are no public data: Regulation (EU) 2023/1542, Annex XIII,
    points 2 to 4, keeps them for those with a legitimate interest.
    """
    if actor.organisation_id is None:
        return Q(pk=None)
    licences = Licence.objects.filter(
        organisation_id=actor.organisation_id, status=Licence.Status.VERIFIED
    )
    return Q(lot__seller_id=actor.organisation_id) | Q(models.Exists(licences))


class PassportQuerySet(EvidenceQuerySet["LotPassport"]):
    def visible_to(self, actor: "Actor") -> Self:
        """The seller, staff, and members of organisations with a verified licence that see the lot."""
        shown = super().visible_to(actor)
        return shown if actor.sees_everything else shown.filter(_with_interest(actor))


class HealthClaimQuerySet(EvidenceQuerySet["HealthClaim"]):
    def visible_to(self, actor: "Actor") -> Self:
        """Tests are for whoever sees the lot; what a passport says, for whoever sees the passport."""
        shown = super().visible_to(actor)
        if actor.sees_everything:
            return shown
        return shown.filter(~Q(method=HealthClaim.Method.PASSPORT) | _with_interest(actor))


class LotIdentifier(models.Model):
    """A code that stands on a lot, or on one unit of it. One thing may carry many."""

    class Scheme(models.TextChoices):
        SERIAL = "SERIAL", _("Maker's serial number")
        GBT34014 = "GBT34014", _("Chinese traction battery code (GB/T 34014)")
        BPAN = "BPAN", _("Indian battery number (BPAN, draft)")
        EU_PASSPORT = "EU_PASSPORT", _("European battery passport")
        GS1 = "GS1", _("GS1 Digital Link")

    class Read(models.TextChoices):
        TYPED = "TYPED", _("Typed")
        PHOTO = "PHOTO", _("Read from a photo")
        CAMERA = "CAMERA", _("Read by a camera")
        PASSPORT = "PASSPORT", _("From a battery passport")

    lot = models.ForeignKey(Lot, models.CASCADE, related_name="identifiers")
    scheme = models.CharField(max_length=12, choices=Scheme)
    value = models.CharField(max_length=500)
    told = models.JSONField(default=dict, help_text="What the code truly says: maker, date, ...")
    doubts = models.JSONField(default=list, help_text="What about it is not believed, as codes.")
    read = models.CharField(max_length=8, choices=Read)
    photo = models.ForeignKey(LotPhoto, models.SET_NULL, null=True, related_name="+")
    added_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    added_at = models.DateTimeField()

    objects = EvidenceQuerySet["LotIdentifier"].as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(scheme__in=["SERIAL", "GBT34014", "BPAN", "EU_PASSPORT", "GS1"]),
                name="identifier_scheme_known",
            ),
            models.CheckConstraint(
                condition=Q(read__in=["TYPED", "PHOTO", "CAMERA", "PASSPORT"]),
                name="identifier_read_known",
            ),
            models.CheckConstraint(condition=~Q(value=""), name="identifier_says_something"),
            models.UniqueConstraint(
                fields=["lot", "scheme", "value"], name="identifier_added_once"
            ),
        ]
        indexes = [models.Index(fields=["scheme", "value"], name="identifier_by_value")]

    def __str__(self) -> str:
        return self.value

    def value_for(self, actor: "Actor") -> str:
        """Return the code; for strangers only its end, so that nobody can print it on another battery."""
        return masked(self.value) if self._is_strange(actor) else self.value

    def told_for(self, actor: "Actor") -> dict[str, str]:
        """Return what the code says; to strangers nothing from which the code could be put together."""
        told: dict[str, str] = self.told
        if self._is_strange(actor):
            return {fact: said for fact, said in told.items() if fact in PUBLIC_FACTS}
        return told

    def _is_strange(self, actor: "Actor") -> bool:
        return actor.user_id is None and not actor.sees_everything


class LotPassport(models.Model):
    """A battery passport as it was given, what was read from it, and what of that is not believed."""

    class Format(models.TextChoices):
        BATTERY_PASS = "BATTERY_PASS", "BatteryPass 1.2"
        CATENA_X = "CATENA_X", "Catena-X battery_pass"
        UNTP_DPP = "UNTP_DPP", "UNTP Digital Product Passport 0.7.0"

    class Signature(models.TextChoices):
        NONE = "NONE", _("Not signed")
        CHECKED = "CHECKED", _("Signature checked")
        UNCHECKED = "UNCHECKED", _("Signature not checked")
        WRONG = "WRONG", _("Signature wrong")

    lot = models.ForeignKey(Lot, models.CASCADE, related_name="passports")
    format = models.CharField(max_length=12, choices=Format)
    edition = models.CharField(max_length=20, blank=True)
    sha256 = models.CharField(max_length=64, help_text="Of the bytes as they were given.")
    original = models.JSONField(help_text="As it was given.")
    read = models.JSONField(default=dict, help_text="Field -> value and unit, as we understand it.")
    doubts = models.JSONField(default=list, help_text="Field, code, value: kept, and not believed.")
    as_of = models.DateTimeField(null=True, help_text="Of its newest changing value.")
    signature = models.CharField(max_length=9, choices=Signature, default=Signature.NONE)
    signed_by = models.CharField(
        max_length=300, blank=True, help_text="The identifier of the key, or whom it names."
    )
    token = models.TextField(blank=True, help_text="The signed text, if it came in one.")
    added_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    added_at = models.DateTimeField()

    objects = PassportQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(format__in=["BATTERY_PASS", "CATENA_X", "UNTP_DPP"]),
                name="passport_format_known",
            ),
            models.CheckConstraint(
                condition=Q(signature__in=["NONE", "CHECKED", "UNCHECKED", "WRONG"])
                & (Q(signed_by="") | ~Q(signature="NONE")),
                name="passport_signature_known",
            ),
            models.UniqueConstraint(fields=["lot", "sha256"], name="passport_added_once"),
        ]

    def __str__(self) -> str:
        return f"{self.get_format_display()} of {self.lot_id}"


class HealthClaim(models.Model):
    """What somebody measured of a lot's health, and how. Claims on unlike bases or levels are never compared silently."""

    class Basis(models.TextChoices):
        CAPACITY = "CAPACITY", _("Capacity (Ah)")
        ENERGY = "ENERGY", _("Energy (Wh)")
        RESISTANCE = "RESISTANCE", _("Resistance")

    class Level(models.TextChoices):
        PACK = "PACK", _("Whole pack")
        WEAKEST_CELL = "WEAKEST_CELL", _("Weakest cell")
        SAMPLE = "SAMPLE", _("A sample of it")

    class Method(models.TextChoices):
        CAPACITY_TEST = "CAPACITY_TEST", _("Capacity test")
        PULSE_TEST = "PULSE_TEST", _("Pulse test")
        IMPEDANCE = "IMPEDANCE", _("Impedance sweep")
        PASSPORT = "PASSPORT", _("Battery passport")
        SAID = "SAID", _("Said by the owner")

    lot = models.ForeignKey(Lot, models.CASCADE, related_name="health_claims")
    value = models.DecimalField(max_digits=5, decimal_places=4, help_text="Share of when new.")
    uncertainty = models.DecimalField(
        max_digits=5, decimal_places=4, help_text="Half the width of its 10 to 90 % band, a share."
    )
    basis = models.CharField(max_length=10, choices=Basis)
    level = models.CharField(max_length=12, choices=Level)
    method = models.CharField(max_length=14, choices=Method)
    instrument = models.CharField(max_length=100, blank=True)
    temperature_c = models.DecimalField(max_digits=4, decimal_places=1, null=True)
    window = models.CharField(max_length=60, blank=True, help_text='As "2.80 to 4.20 V".')
    tested_at = models.DateTimeField(null=True)
    tested_by = models.ForeignKey(Organisation, models.PROTECT, related_name="health_claims")
    file_sha256 = models.CharField(max_length=64, blank=True)
    details = models.JSONField(
        default=dict, help_text="Measured and rated figures, for the curious."
    )
    doubts = models.JSONField(default=list)
    added_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    added_at = models.DateTimeField()

    objects = HealthClaimQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(basis__in=["CAPACITY", "ENERGY", "RESISTANCE"]),
                name="health_claim_basis_known",
            ),
            models.CheckConstraint(
                condition=Q(level__in=["PACK", "WEAKEST_CELL", "SAMPLE"]),
                name="health_claim_level_known",
            ),
            models.CheckConstraint(
                condition=Q(
                    method__in=["CAPACITY_TEST", "PULSE_TEST", "IMPEDANCE", "PASSPORT", "SAID"]
                ),
                name="health_claim_method_known",
            ),
            models.CheckConstraint(
                condition=Q(value__gte=0, value__lte=9), name="health_claim_is_a_share"
            ),
            models.CheckConstraint(
                condition=Q(uncertainty__gte=0, uncertainty__lte=1),
                name="health_claim_uncertainty_is_a_share",
            ),
            models.UniqueConstraint(
                fields=["lot", "file_sha256", "basis", "level"],
                condition=~Q(file_sha256=""),
                name="health_claim_file_counts_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.value:.0%} by {self.get_basis_display()}"
