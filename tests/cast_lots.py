"""Lots of the named cast, made as their owners make them. Import the fixtures into a test module that needs them."""

from collections.abc import Callable
from decimal import Decimal
from io import BytesIO
from uuid import UUID, uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from marketplace.accounts.actors import Actor
from marketplace.lots import services
from marketplace.lots.models import Lot
from marketplace.reference.models import Chemistry

__all__ = ["draft", "priced", "submitted"]

BEKASI = 1649378
SAFE = dict.fromkeys(["swollen", "hot", "wet", "smell", "dented", "cut"], False)


def picture(colour=(40, 90, 60), *, size=(640, 480), form="JPEG", name="battery.jpg", **more):
    """A fresh upload; another colour makes another photo."""
    out = BytesIO()
    Image.new("RGB", size, colour).save(out, form, **more)
    return SimpleUploadedFile(name, out.getvalue(), content_type="image/jpeg")


@pytest.fixture
def draft(now) -> Callable[..., Lot]:
    """Begin a lot and answer every question, but do not hand it in."""

    def make(
        actor: Actor,
        *,
        request_id: UUID | None = None,
        origin: str = "SCOOTER",
        chemistry: str | None = "NMC532",
        answers=SAFE,
        **amount,
    ) -> Lot:
        lot = services.start_lot(actor=actor, request_id=request_id or uuid4(), now=now)
        services.add_photo(lot, actor=actor, upload=picture(), now=now)
        services.answer_origin(lot, actor=actor, origin=origin, now=now)
        services.answer_chemistry(
            lot,
            actor=actor,
            chemistry=Chemistry.objects.get(pk=chemistry) if chemistry else None,
            now=now,
        )
        services.answer_amount(lot, actor=actor, now=now, **(amount or {"mass_kg": Decimal(112)}))
        services.answer_place(lot, actor=actor, country="ID", geoname_id=BEKASI, now=now)
        return services.answer_triage(lot, actor=actor, answers=answers, now=now)

    return make


@pytest.fixture
def submitted(draft, now) -> Callable[..., Lot]:
    """Hand in a lot with every question answered. Nobody has valued it yet."""

    def make(actor: Actor, **answers) -> Lot:
        return services.declare_and_submit(draft(actor, **answers), actor=actor, now=now)

    return make


@pytest.fixture
def priced(submitted, settle) -> Callable[..., Lot]:
    """Hand in a lot and let the jobs value and classify it."""

    def make(actor: Actor, **answers) -> Lot:
        lot = submitted(actor, **answers)
        settle()
        lot.refresh_from_db()
        return lot

    return make
