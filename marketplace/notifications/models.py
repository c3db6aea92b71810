from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from marketplace.accounts.models import Organisation, User
from marketplace.core.models import RowQuerySet

if TYPE_CHECKING:
    from marketplace.accounts.actors import Actor


class NoticeQuerySet(RowQuerySet["Notice"]):
    def visible_to(self, actor: "Actor") -> Self:
        """A person reads what was written to them."""
        return self.filter(user_id=actor.user_id, user__isnull=False)

    def unread(self) -> Self:
        return self.filter(read_at=None)


class Notice(models.Model):
    """One message to one person, in the inbox: the inbox is the truth, mail and SMS are copies."""

    user = models.ForeignKey(User, models.CASCADE, related_name="notices")
    organisation = models.ForeignKey(Organisation, models.CASCADE, null=True, related_name="+")
    template = models.CharField(
        max_length=60, help_text="Which sentence; rendered in the reader's language."
    )
    facts = models.JSONField(default=dict)
    path = models.CharField(max_length=200, blank=True, help_text="Where to act.")
    entry_id = models.BigIntegerField(null=True, help_text="The journal entry it tells of.")
    created_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True)

    objects = NoticeQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "entry_id", "template"],
                condition=Q(entry_id__isnull=False),
                name="noticed_once",
            ),
        ]
        indexes = [models.Index(fields=["user", "-id"], name="notice_by_user")]

    def __str__(self) -> str:
        return f"{self.template} to {self.user_id}"


class Message(models.Model):
    """A notice that left the house, by mail or SMS. The job's key makes it leave once, as far as providers let us."""

    class Channel(models.TextChoices):
        EMAIL = "EMAIL", _("E-mail")
        SMS = "SMS", _("SMS")

    notice = models.ForeignKey(Notice, models.CASCADE, related_name="messages")
    channel = models.CharField(max_length=5, choices=Channel)
    address = models.CharField(max_length=254)
    provider_id = models.CharField(max_length=120)
    sent_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(channel__in=["EMAIL", "SMS"]), name="message_channel_known"
            ),
            models.UniqueConstraint(
                fields=["notice", "channel"], name="message_sent_once_a_channel"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel} of {self.notice_id}"


class Preference(models.Model):
    """Which copies of their notices a person wants beside the inbox. Without a row: all."""

    user = models.OneToOneField(User, models.CASCADE, related_name="notice_preference")
    email = models.BooleanField(_("by e-mail"), default=True)
    text_messages = models.BooleanField(_("by text message"), default=True)

    def __str__(self) -> str:
        return f"preference of {self.user_id}"
