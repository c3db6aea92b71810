"""Name a new source, so that prices can say where they come from."""

from datetime import date

from django.db import transaction

from marketplace.reference.models import Source


@transaction.atomic
def add_source(code: str, *, title: str, read_on: date) -> Source:
    """Add a source. One that is there already stays as it is."""
    source, _added = Source.objects.get_or_create(
        code=code, defaults={"title": title, "read_on": read_on}
    )
    return source
