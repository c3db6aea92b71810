"""What pages ask about messages."""

from .models import Notice, Preference


def unread_count(user_id: int | None) -> int:
    """Return how many notices a person has not read yet, for the number beside the bell."""
    return Notice.objects.filter(user_id=user_id).unread().count() if user_id else 0


def preference_of(user_id: int) -> Preference:
    """Return which copies a person wants: what they chose, or all."""
    return Preference.objects.filter(user_id=user_id).first() or Preference(user_id=user_id)
