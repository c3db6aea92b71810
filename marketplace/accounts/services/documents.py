from datetime import datetime
from uuid import uuid4

from django.core.files.base import ContentFile
from django.db import transaction

from marketplace.accounts.models import Document
from marketplace.core.uploads import CleanDocument


def keep_document(
    clean: CleanDocument, *, organisation_id: int, title: str, now: datetime
) -> Document:
    """Keep a cleaned paper under a random name, in the caller's transaction or one of its own."""
    with transaction.atomic():
        return Document.objects.create(
            organisation_id=organisation_id,
            file=ContentFile(clean.bytes, name=f"{uuid4().hex}{clean.suffix}"),
            title=title[:200],
            content_type=clean.content_type,
            size_bytes=len(clean.bytes),
            sha256=clean.sha256,
            uploaded_at=now,
        )
