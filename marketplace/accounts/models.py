from datetime import date, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Self

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from marketplace.core.models import RowQuerySet, Staged
from marketplace.reference.models import LicenceType

from .capabilities import Role

if TYPE_CHECKING:
    from .actors import Actor


class UserManager(BaseUserManager["User"]):
    def create_user(
        self,
        *,
        email: str | None = None,
        phone: str | None = None,
        password: str | None = None,
        **more: Any,
    ) -> "User":
        user = self.model(email=email and email.lower(), phone=phone, **more)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, **more: Any) -> "User":
        return self.create_user(is_staff=True, is_superuser=True, **more)


class User(AbstractBaseUser, PermissionsMixin):
    """A person, known by an e-mail address, a phone number, or both."""

    email = models.EmailField(_("e-mail address"), null=True, unique=True)  # noqa: DJ001 — lower case, or none
    phone = models.CharField(_("phone number"), max_length=16, null=True, unique=True)  # noqa: DJ001 — E.164, or none
    phone_verified_at = models.DateTimeField(null=True)
    name = models.CharField(_("name"), max_length=120, blank=True)
    language = models.CharField(_("language"), max_length=10, default="en")
    is_staff = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    date_joined = models.DateTimeField(auto_now_add=True)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects = UserManager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(email__isnull=False) | Q(phone__isnull=False),
                name="user_can_be_reached",
            ),
            models.CheckConstraint(
                condition=Q(phone=None) | Q(phone__regex=r"^\+[1-9][0-9]{6,14}$"),
                name="user_phone_is_e164",
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.email or self.phone or f"user {self.pk}"


class OrganisationQuerySet(RowQuerySet["Organisation"]):
    def visible_to(self, actor: "Actor") -> Self:
        """Everyone signed in sees who is on the market; strangers see nobody."""
        return self if actor.user_id or actor.sees_everything else self.none()

    def of_user(self, user_id: int | None) -> Self:
        """The organisations that a person may act for."""
        return self.filter(memberships__user_id=user_id, status="ACTIVE").distinct()


class Organisation(models.Model):
    """A firm, or one person who collects. It owns lots, bids, licences and money; people act for it."""

    class Tier(models.IntegerChoices):
        PHONE = 0, _("Phone number only")
        VOUCHED = 1, _("Vouched for by the community")
        IDENTIFIED = 2, _("Identity shown")
        BUSINESS = 3, _("Registered business")

    class Status(models.TextChoices):
        ACTIVE = "ACTIVE", _("Active")
        FROZEN = "FROZEN", _("Frozen")

    name = models.CharField(_("name"), max_length=200)
    country = models.CharField(_("country"), max_length=2)
    currency = models.CharField(_("currency"), max_length=3)
    tier = models.PositiveSmallIntegerField(choices=Tier, default=Tier.PHONE)
    status = models.CharField(max_length=10, choices=Status, default=Status.ACTIVE)
    group = models.CharField(
        max_length=60, blank=True, help_text=_("Organisations of one owner share it.")
    )
    tax_number = models.CharField(_("tax number"), max_length=40, blank=True)
    geoname_id = models.PositiveIntegerField(null=True)
    place = models.CharField(_("place"), max_length=120, blank=True)
    latitude = models.DecimalField(max_digits=5, decimal_places=2, null=True)
    longitude = models.DecimalField(max_digits=5, decimal_places=2, null=True)
    created_at = models.DateTimeField()
    founded_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    request_id = models.UUIDField(null=True)

    objects = OrganisationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["ACTIVE", "FROZEN"]), name="organisation_status_known"
            ),
            models.CheckConstraint(condition=Q(tier__lte=3), name="organisation_tier_known"),
            models.CheckConstraint(
                condition=Q(latitude=None, longitude=None)
                | Q(
                    latitude__isnull=False,
                    longitude__isnull=False,
                    latitude__range=(-90, 90),
                    longitude__range=(-180, 180),
                ),
                name="organisation_is_on_earth",
            ),
            models.UniqueConstraint(
                fields=["founded_by", "request_id"], name="organisation_request_counts_once"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def related_to(self, actor: "Actor") -> bool:
        """Tell whether the actor's organisation is this one, or belongs to the same owner."""
        return actor.organisation_id == self.pk or (bool(self.group) and self.group == actor.group)


class MembershipQuerySet(RowQuerySet["Membership"]):
    def visible_to(self, actor: "Actor") -> Self:
        """Members see who acts for their organisation; staff see everybody."""
        if actor.sees_everything:
            return self
        if actor.organisation_id is None:
            return self.none()
        return self.filter(organisation_id=actor.organisation_id)


class Membership(models.Model):
    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=20, choices=Role)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "organisation", "role"], name="membership_role_held_once"
            ),
            models.CheckConstraint(condition=Q(role__in=Role.values), name="membership_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} is {self.role} of {self.organisation_id}"


class InvitationQuerySet(RowQuerySet["Invitation"]):
    def visible_to(self, actor: "Actor") -> Self:
        """The members of the organisation that invites see its invitations, and people those made to them."""
        if actor.user_id is None:
            return self.none()
        mine = Q(organisation_id=actor.organisation_id, organisation__isnull=False)
        return self.filter(mine | Q(pk__in=Invitation.objects.made_to(actor.user_id)))

    def made_to(self, user_id: int | None) -> Self:
        """Those made to an address of this person."""
        user = User.objects.filter(pk=user_id or 0).values_list("email", "phone").first()
        known = [address for address in user or () if address]
        return self.filter(address__in=known)

    def waiting(self, now: datetime) -> Self:
        return self.filter(accepted_at=None, expires_at__gt=now)


class Invitation(models.Model):
    """An offer to act for an organisation, made to an address. Whoever owns the address may accept it."""

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="invitations")
    address = models.CharField(max_length=254)
    role = models.CharField(max_length=20, choices=Role)
    invited_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    invited_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)

    objects = InvitationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "address", "role"],
                condition=Q(accepted_at=None),
                name="invited_once_a_role",
            ),
            models.CheckConstraint(condition=Q(role__in=Role.values), name="invitation_role_known"),
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("invited_at")), name="invitation_expires"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.address} to {self.organisation_id} as {self.role}"


class DocumentQuerySet(RowQuerySet["Document"]):
    def visible_to(self, actor: "Actor") -> Self:
        """The owner sees their papers; verifiers see those of licences that were submitted."""
        if actor.sees_everything:
            return self
        if actor.organisation_id is None:
            return self.none()
        mine = Q(organisation_id=actor.organisation_id)
        if Role.VERIFIER in actor.roles:
            shown = Licence.objects.visible_to(actor)
            return self.filter(mine | Q(licences__in=shown)).distinct()
        return self.filter(mine)


class Document(models.Model):
    """An uploaded paper: sniffed, cleaned, kept under a random name, never shown inline."""

    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="documents")
    file = models.FileField(upload_to="documents/")
    title = models.CharField(max_length=200)
    content_type = models.CharField(max_length=40)
    size_bytes = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    uploaded_at = models.DateTimeField()

    objects = DocumentQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    content_type__in=["application/pdf", "image/jpeg", "image/png", "image/webp"]
                ),
                name="document_type_allowed",
            ),
            models.CheckConstraint(condition=Q(size_bytes__gt=0), name="document_is_not_empty"),
        ]

    def __str__(self) -> str:
        return self.title


class LicenceQuerySet(RowQuerySet["Licence"]):
    def visible_to(self, actor: "Actor") -> Self:
        """The holder sees their own, verifiers see what was submitted, everyone signed in sees what counts."""
        if actor.sees_everything:
            return self
        mine = Q(organisation_id=actor.organisation_id)
        if Role.VERIFIER in actor.roles:
            return self.filter(mine | ~Q(status=Licence.Status.DRAFT))
        return self.filter(mine) if actor.organisation_id else self.none()

    def may_open(self, act: str, *, on: date) -> Self:
        """Licences under which this act (BID, RECEIVE, CARRY …) may be begun on a day."""
        return self.filter(
            status=Licence.Status.VERIFIED,
            acts__contains=[act],
            valid_from__lte=on,
            valid_until__gte=on,
        )

    def may_finish(self, act: str, *, on: date) -> Self:
        """Licences under which this act may still be brought to its end: begun things do not strand."""
        counted = [Licence.Status.VERIFIED, Licence.Status.EXPIRED]
        return self.filter(
            status__in=counted, acts__contains=[act], valid_from__lte=on, finish_until__gte=on
        )


class Licence(Staged):
    """A permission that an authority gave: for what, where, how much a year, until when.

    ``acts`` says what it allows (BID, RECEIVE, CARRY, EXPORT …). Once it lapses nothing may be opened under it, but
    what was begun may be finished until ``finish_until``.
    """

    class Status(models.TextChoices):
        DRAFT = "DRAFT", _("Draft")
        SUBMITTED = "SUBMITTED", _("Waiting to be checked")
        CHECKING = "CHECKING", _("Being checked")
        NEEDS_INFO = "NEEDS_INFO", _("We need something from you")
        VERIFIED = "VERIFIED", _("Verified")
        REFUSED = "REFUSED", _("Refused")
        SUSPENDED = "SUSPENDED", _("Suspended")
        EXPIRED = "EXPIRED", _("Expired")

    NEXT = {
        Status.DRAFT: frozenset({Status.SUBMITTED}),
        Status.SUBMITTED: frozenset({Status.CHECKING}),
        Status.CHECKING: frozenset(
            {Status.SUBMITTED, Status.NEEDS_INFO, Status.VERIFIED, Status.REFUSED}
        ),
        Status.NEEDS_INFO: frozenset({Status.SUBMITTED}),
        Status.VERIFIED: frozenset({Status.SUSPENDED, Status.EXPIRED}),
        Status.SUSPENDED: frozenset({Status.VERIFIED, Status.EXPIRED}),
        Status.REFUSED: frozenset(),
        Status.EXPIRED: frozenset(),
    }

    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="licences")
    licence_type = models.ForeignKey(LicenceType, models.PROTECT, related_name="licences")
    number = models.CharField(_("number"), max_length=80)
    issuer = models.CharField(_("issued by"), max_length=200)
    country = models.CharField(_("country"), max_length=2)
    site_name = models.CharField(_("site"), max_length=200, blank=True)
    site_place = models.CharField(_("place of the site"), max_length=120, blank=True)
    site_latitude = models.DecimalField(max_digits=5, decimal_places=2, null=True)
    site_longitude = models.DecimalField(max_digits=5, decimal_places=2, null=True)
    acts = ArrayField(models.CharField(max_length=10), help_text="LicenceType.Use codes")
    materials = ArrayField(models.CharField(max_length=20), help_text="reference.Chemistry codes")
    annual_mass_kg = models.DecimalField(max_digits=12, decimal_places=3, null=True)
    valid_from = models.DateField()
    valid_until = models.DateField()
    finish_until = models.DateField()
    document = models.ForeignKey(Document, models.PROTECT, null=True, related_name="licences")
    status = models.CharField(max_length=12, choices=Status, default=Status.DRAFT)
    submitted_at = models.DateTimeField(null=True)
    submitted_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    claimed_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    claimed_until = models.DateTimeField(null=True)
    verified_at = models.DateTimeField(null=True)
    reason = models.TextField(blank=True, help_text="What the applicant reads.")
    request_id = models.UUIDField()

    objects = LicenceQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    status__in=[
                        "DRAFT",
                        "SUBMITTED",
                        "CHECKING",
                        "NEEDS_INFO",
                        "VERIFIED",
                        "REFUSED",
                        "SUSPENDED",
                        "EXPIRED",
                    ]
                ),
                name="licence_status_known",
            ),
            models.CheckConstraint(
                condition=Q(valid_until__gte=F("valid_from"), finish_until__gte=F("valid_until")),
                name="licence_days_are_in_order",
            ),
            models.CheckConstraint(
                condition=Q(annual_mass_kg=None) | Q(annual_mass_kg__gt=0),
                name="licence_mass_is_positive",
            ),
            models.CheckConstraint(
                condition=Q(claimed_by=None, claimed_until=None)
                | Q(claimed_by__isnull=False, claimed_until__isnull=False),
                name="licence_claim_is_whole",
            ),
            models.CheckConstraint(
                condition=~Q(status="VERIFIED") | Q(verified_at__isnull=False),
                name="licence_verified_is_dated",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["REFUSED", "NEEDS_INFO", "SUSPENDED"]) | ~Q(reason=""),
                name="licence_refusal_has_a_reason",
            ),
            models.UniqueConstraint(
                fields=["organisation", "request_id"], name="licence_request_counts_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.licence_type_id} {self.number}"


class LicenceCheck(models.Model):
    """One field of a licence compared with its document by one verifier."""

    licence = models.ForeignKey(Licence, models.CASCADE, related_name="checks")
    field = models.CharField(max_length=30)
    matches = models.BooleanField()
    note = models.CharField(max_length=300, blank=True)
    checked_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    checked_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["licence", "field", "checked_by"], name="licence_field_checked_once_each"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.field} of {self.licence_id}"


class LicenceApproval(models.Model):
    """One of the two approvals that a licence needs, by two different people of other organisations."""

    licence = models.ForeignKey(Licence, models.CASCADE, related_name="approvals")
    approved_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    approved_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["licence", "approved_by"], name="licence_approved_once_each"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.licence_id} by {self.approved_by_id}"


class LicenceYear(models.Model):
    """How many kilograms of a licence's year are spoken for. The last judge of "too much"."""

    licence = models.ForeignKey(Licence, models.PROTECT, related_name="years")
    year = models.PositiveSmallIntegerField()
    limit_kg = models.DecimalField(max_digits=12, decimal_places=3)
    drawn_kg = models.DecimalField(max_digits=12, decimal_places=3, default=0)

    objects: RowQuerySet["LicenceYear"] = RowQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["licence", "year"], name="licence_year_counted_once"),
            models.CheckConstraint(
                condition=Q(drawn_kg__gte=0, drawn_kg__lte=F("limit_kg")),
                name="licence_year_is_not_overdrawn",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.licence_id} in {self.year}"


class LicenceDraw(models.Model):
    """Kilograms of a licence's year that one purpose ("deal:17") has reserved."""

    licence_year = models.ForeignKey(LicenceYear, models.PROTECT, related_name="draws")
    purpose = models.CharField(max_length=60)
    mass_kg = models.DecimalField(max_digits=12, decimal_places=3)
    drawn_at = models.DateTimeField()
    released_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["licence_year", "purpose"],
                condition=Q(released_at=None),
                name="licence_drawn_once_a_purpose",
            ),
            models.CheckConstraint(condition=Q(mass_kg__gt=0), name="licence_draw_is_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.mass_kg} kg for {self.purpose}"


class ApiTokenQuerySet(RowQuerySet["ApiToken"]):
    def visible_to(self, actor: "Actor") -> Self:
        """A person sees the keys that they made for the organisation they act for."""
        if actor.user_id is None or actor.organisation_id is None:
            return self.none()
        return self.filter(user_id=actor.user_id, organisation_id=actor.organisation_id)


class ApiToken(models.Model):
    """A key for programs: acts for one person in one organisation. Only its hash is kept."""

    user = models.ForeignKey(User, models.CASCADE, related_name="api_tokens")
    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=60)
    sha256 = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("created_at")), name="token_expires"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def counts_at(self, now: datetime) -> bool:
        """Tell whether it opens the door at this moment."""
        return self.revoked_at is None and now < self.expires_at and self.user.is_active


class SignUpCode(models.Model):
    """A one-time code sent to an address or a phone, before there is a user. Only its hash is kept."""

    address = models.CharField(max_length=254)
    code_sha256 = models.CharField(max_length=64)
    sent_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    tries = models.PositiveSmallIntegerField(default=0)
    proved_at = models.DateTimeField(null=True, help_text="When its digits came back.")
    used_at = models.DateTimeField(null=True)

    objects: RowQuerySet["SignUpCode"] = RowQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        indexes = [models.Index(fields=["address", "-sent_at"], name="code_by_address")]
        constraints = [
            models.CheckConstraint(condition=Q(tries__lte=5), name="code_tries_are_bounded"),
        ]

    def __str__(self) -> str:
        return f"code for {self.address}"


class CacheEntry(models.Model):
    """A row of Django's database cache, which keeps the rate limits of log-in: they hold while Redis is away."""

    cache_key = models.CharField(max_length=255, primary_key=True)
    value = models.TextField()
    expires = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "cache_entries"

    def __str__(self) -> str:
        return self.cache_key
