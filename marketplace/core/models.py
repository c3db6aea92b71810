from collections.abc import Mapping
from typing import ClassVar, Self, TypeVar

from django.db import models
from django.utils.translation import gettext as _

from .errors import Refused

Row = TypeVar("Row", bound=models.Model)


class AlreadyMovedOn(Refused):
    code = "already_moved_on"


class RowQuerySet(models.QuerySet[Row]):
    """What every queryset of ours can do. Rooms add ``visible_to(actor)`` and their own filters."""

    def lock(self, row: Row) -> Row:
        """Return the row as it is now, locked until the transaction ends.

        Lock rows of one table in primary key order; lock tables from the upper floors first.
        """
        return self.select_for_update(of=("self",), no_key=True).get(pk=row.pk)

    def claim(self) -> Self:
        """Lock what nobody else works on, and skip the rest. For jobs that may run beside themselves."""
        return self.select_for_update(of=("self",), no_key=True, skip_locked=True)


class Staged(models.Model):
    """A thing that goes through stages. ``NEXT`` is its whole state machine; each arrow is one service function."""

    NEXT: ClassVar[Mapping[str, frozenset[str]]]
    status: str

    class Meta:
        abstract = True

    def enter(self, status: str) -> None:
        """Move to the next stage, without saving.

        :raises AlreadyMovedOn: if there is no arrow from here to there
        """
        if status not in self.NEXT[self.status]:
            raise AlreadyMovedOn(_("This can no longer be done. Reload the page to see why."))
        self.status = status


def known(field: str, choices: type[models.TextChoices]) -> models.Q:
    """Return the condition that a column holds one of its choices, for a check constraint."""
    return models.Q(**{f"{field}__in": choices.values})
