"""Battery passports of a lot: kept whole, believed in part, never over the owner's word."""

import copy
import json
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction

from marketplace.journal.models import Entry
from marketplace.lots import services
from marketplace.lots.models import HealthClaim, LotIdentifier, LotPassport
from marketplace.lots.rules.health import believed
from tests.cast_lots import *  # noqa: F403
from tests.rules.test_lots_signed_passports import Signer, dpp

pytestmark = pytest.mark.django_db

STANDARDS = Path(__file__).parents[2].parent / "shared" / "standards"
needs_standards = pytest.mark.skipif(
    not STANDARDS.exists(), reason="the published samples do not lie beside the project"
)
NEW_ON = "2026-10-07T10:39:13+01:00"
PASSPORT = {
    "specVersion": "urn:io.catenax.battery.battery_pass:6.1.0",
    "metadata": {"passportIdentifier": "urn:uuid:550e8400-e29b-41d4-a716-446655440000"},
    "identification": {
        "chemistry": "LFP",
        "category": "EV",
        "identification": {"serial": [{"key": "partInstanceId", "value": "SN12345678"}]},
    },
    "characteristics": {"physicalDimension": {"weight": {"value": 420000, "unit": "unit:gram"}}},
    "performance": {
        "rated": {
            "energy": {"value": 52.5},
            "capacity": {"value": 150},
            "voltage": {"nominal": 350},
        },
        "dynamic": {"energy": {"soce": {"value": 81.0, "time": NEW_ON}}},
    },
}


def passport(**changes) -> dict:
    tree = copy.deepcopy(PASSPORT)
    for path, value in changes.items():
        *above, last = path.split("__")
        node = tree
        for step in above:
            node = node[step]
        node[last] = value
    return tree


def bring(lot, actor, now, tree=PASSPORT) -> LotPassport:
    return services.import_passport(lot, actor=actor, given=json.dumps(tree), now=now)


def nothing_was_kept() -> bool:
    return not any(table.objects.exists() for table in (LotPassport, LotIdentifier, HealthClaim))


# --- keeping --------------------------------------------------------------------------------------


def test_a_passport_is_kept_read_and_believed(submitted, collector, now):
    lot = submitted(collector, chemistry="LFP")

    kept = bring(lot, collector, now)

    assert (kept.format, kept.edition) == ("CATENA_X", "6.1.0")
    assert kept.original == PASSPORT
    assert kept.read["mass_kg"] == {
        "value": "420",
        "unit": "kg",
        "as_of": None,
        "path": "characteristics.physicalDimension.weight",
        "believed": True,
    }
    assert kept.doubts == []
    assert kept.as_of.isoformat() == "2026-10-07T09:39:13+00:00"
    assert {(row.scheme, row.read) for row in LotIdentifier.objects.all()} == {
        ("EU_PASSPORT", "PASSPORT"),
        ("SERIAL", "PASSPORT"),
    }
    claim = HealthClaim.objects.get()
    assert (claim.value, claim.uncertainty) == (Decimal("0.81"), Decimal("0.05"))
    assert (claim.basis, claim.level, claim.method) == ("ENERGY", "PACK", "PASSPORT")
    assert (claim.file_sha256, claim.tested_at) == (kept.sha256, kept.as_of)
    lot.refresh_from_db()
    assert lot.evidence_version == 2
    assert Entry.objects.filter(name="lots.LotEvidenceChanged").count() == 1


def test_the_same_passport_counts_once(submitted, collector, now):
    lot = submitted(collector, chemistry="LFP")

    assert bring(lot, collector, now) == bring(lot, collector, now)

    lot.refresh_from_db()
    assert lot.evidence_version == 2
    assert HealthClaim.objects.count() == 1


def test_a_passport_of_one_of_many_is_a_sample(submitted, collector, now):
    lot = submitted(collector, chemistry="LFP", units=4, mass_kg=Decimal(1700))

    bring(lot, collector, now)

    assert HealthClaim.objects.get().level == "SAMPLE"


def test_an_undated_health_is_believed_with_twice_the_doubt(submitted, collector, now):
    lot = submitted(collector, chemistry="LFP")

    bring(lot, collector, now, passport(performance__dynamic__energy={"soce": {"value": 81}}))

    claim = HealthClaim.objects.get()
    assert (claim.doubts, claim.uncertainty) == (["undated"], Decimal("0.10"))
    assert believed(claim.doubts)


@pytest.mark.parametrize("health", [-5, 103, 0.81, 1e38])
def test_a_health_that_cannot_be_makes_no_claim_and_is_kept(submitted, collector, now, health):
    lot = submitted(collector, chemistry="LFP")

    kept = bring(lot, collector, now, passport(performance__dynamic__energy__soce__value=health))

    assert not HealthClaim.objects.exists()
    assert [doubt["field"] for doubt in kept.doubts] == ["certified_energy_percent"]
    lot.refresh_from_db()
    assert lot.evidence_version == 2


# --- the owner's answers --------------------------------------------------------------------------


def test_a_passport_answers_what_the_owner_left_open(collector, now):
    lot = services.start_lot(
        actor=collector, request_id="0b1f7c2e-51a4-4a55-9a1c-1d2f3a4b5c6d", now=now
    )

    bring(lot, collector, now)

    lot.refresh_from_db()
    assert (lot.chemistry_id, lot.chemistry_answered) == ("LFP", True)
    assert (lot.mass_kg, lot.mass_is_estimated) == (Decimal("420.000"), False)
    assert (lot.energy_kwh, lot.units) == (Decimal("52.500"), 1)


def test_a_passport_knows_what_the_owner_does_not(submitted, collector, now):
    lot = submitted(collector, chemistry=None)

    bring(lot, collector, now, passport(identification__chemistry="NCM"))

    lot.refresh_from_db()
    assert lot.chemistry_id == "NMC532"
    assert lot.mass_kg == 112  # how much it is was answered


def test_a_passport_never_overwrites_and_a_contradiction_is_flagged(submitted, collector, now):
    lot = submitted(
        collector, chemistry="NMC532", units=1, mass_kg=Decimal(100), energy_kwh=Decimal(12)
    )

    kept = bring(lot, collector, now)

    lot.refresh_from_db()
    assert (lot.chemistry_id, lot.mass_kg, lot.energy_kwh) == ("NMC532", 100, 12)
    assert {(doubt["field"], doubt["code"]) for doubt in kept.doubts} == {
        ("chemistry", "chemistry_contradicts_lot"),
        ("mass_kg", "amount_contradicts_lot"),
        ("rated_energy_kwh", "amount_contradicts_lot"),
    }
    assert not believed(HealthClaim.objects.get().doubts)


def test_a_figure_that_is_not_believed_answers_nothing(collector, now):
    lot = services.start_lot(
        actor=collector, request_id="0b1f7c2e-51a4-4a55-9a1c-1d2f3a4b5c6e", now=now
    )

    bring(
        lot,
        collector,
        now,
        passport(
            identification__chemistry="LFP, NMC",
            characteristics__physicalDimension__weight={"value": -1, "unit": "unit:gram"},
            performance__rated__energy={"value": 1e38},
        ),
    )

    lot.refresh_from_db()
    assert (lot.chemistry_id, lot.mass_kg, lot.energy_kwh, lot.units) == (None, None, None, None)


# --- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "code", "says"),
    [
        (b"", "empty", "Choose the file again"),
        (b"not json", "not_json", "1:1"),
        (b"{}", "unknown_format", "UNTP Digital Product Passport 0.7.0"),
        (b"[" * 5000, "too_deep", "Export it again"),
        (b"x" * 5_000_001, "too_large", "5 MB"),
        (b"\xff\xff\xff\xff", "not_text", "UTF-8"),
        (b"aa.bb.cc", "signed_token", "JSON"),
        (b'{"$schema": "x", "properties": {"batteryMass": {}}}', "a_schema", "filled"),
        (b'[{"batteryMass": 1}, {"batteryMass": 2}]', "several", "one file for each"),
        (b'{"type": "VerifiableCredential"}', "other_credential", "Catena-X"),
        (b'{"type": "DigitalProductPassport"}', "not_a_battery", "battery's own"),
    ],
)
def test_what_is_no_passport_is_refused_with_the_next_step(
    submitted, collector, now, given, code, says
):
    lot = submitted(collector)

    with pytest.raises(services.PassportRefused, match=says) as refused:
        services.import_passport(lot, actor=collector, given=given, now=now)

    assert (refused.value.code, refused.value.field) == (code, "passport")
    assert nothing_was_kept()
    lot.refresh_from_db()
    assert lot.evidence_version == 1


def test_an_upload_that_is_too_large_is_not_read(submitted, collector, now):
    class Endless:
        size = 5_000_001

        def chunks(self, chunk_size=None):
            raise AssertionError("It was read.")

    with pytest.raises(services.PassportRefused, match="5 MB"):
        services.import_passport(submitted(collector), actor=collector, given=Endless(), now=now)


def test_a_size_is_only_a_claim(submitted, collector, now):
    class Liar:
        size = 1

        def chunks(self, chunk_size=None):
            for _ in range(6):
                yield b" " * 1_000_000

    with pytest.raises(services.PassportRefused, match="5 MB"):
        services.import_passport(submitted(collector), actor=collector, given=Liar(), now=now)


def test_only_the_seller_brings_a_passport(submitted, collector, recycler, now):
    lot = submitted(collector)

    with pytest.raises(PermissionDenied):
        bring(lot, recycler, now)

    assert nothing_was_kept()


def test_a_lot_that_others_rely_on_takes_no_passport(priced, collector, now):
    lot = priced(collector)
    services.mark_scheduled(lot, by=collector, now=now)

    with pytest.raises(services.LotNotEditable):
        bring(lot, collector, now)

    assert nothing_was_kept()


def test_a_lot_takes_so_many_passports_and_no_more(submitted, collector, now, monkeypatch):
    monkeypatch.setattr("marketplace.lots.services.passports.MOST_PASSPORTS", 1)
    lot = submitted(collector)
    bring(lot, collector, now)

    with pytest.raises(services.PassportRefused, match="at most 1"):
        bring(lot, collector, now, {"batteryMass": 1})

    assert LotPassport.objects.count() == 1


# --- the published samples ------------------------------------------------------------------------


@needs_standards
@pytest.mark.parametrize(
    "path",
    [
        "batterypass/1.2/PerformanceAndDurability-1.2.1-payload.json",
        "batterypass/1.2/MaterialComposition-payload.json",
        "catenax/battery_pass/3.0.1-BatteryPass.json",
        "catenax/battery_pass/6.0.0-BatteryPass.json",
        "catenax/battery_pass/6.1.0-BatteryPass.json",
        "untp/0.7.0/samples/dpp/DigitalProductPassport_battery_instance.json",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_the_published_samples_go_into_the_database_as_they_are(
    submitted, collector, now, path, encoding
):
    content = (STANDARDS / path).read_text().encode(encoding)
    upload = SimpleUploadedFile("passport.json", content)

    kept = services.import_passport(submitted(collector), actor=collector, given=upload, now=now)

    kept.refresh_from_db()
    assert kept.read
    assert not HealthClaim.objects.exists()


def test_text_that_no_database_takes_is_kept_readable(submitted, collector, now):
    kept = services.import_passport(
        submitted(collector),
        actor=collector,
        given=rb'{"batteryMass": 1, "productIdentifier": "a\u0000b\ud800c", "big": 1e999}',
        now=now,
    )

    kept.refresh_from_db()
    assert kept.read["unit_id"]["value"].startswith("a")


# --- who sees it ----------------------------------------------------------------------------------


def test_a_passport_is_for_those_with_a_legitimate_interest(
    priced, collector, rival_collector, recycler, stranger, anonymous, staff, now
):
    lot = priced(collector, chemistry="LFP")
    bring(lot, collector, now)
    services.mark_scheduled(lot, by=collector, now=now)

    for reader in (collector, recycler, staff):
        assert LotPassport.objects.visible_to(reader).count() == 1
        assert HealthClaim.objects.visible_to(reader).count() == 1
    for reader in (rival_collector, stranger, anonymous):
        assert not LotPassport.objects.visible_to(reader).exists()
        assert not HealthClaim.objects.visible_to(reader).exists()


def test_nobody_sees_the_passport_of_a_lot_that_is_not_for_sale(
    submitted, collector, recycler, now
):
    bring(submitted(collector), collector, now)

    assert not LotPassport.objects.visible_to(recycler).exists()


@pytest.mark.parametrize(
    ("wrong", "constraint"),
    [({"format": "GEFEG"}, "passport_format_known"), ({}, "passport_added_once")],
)
def test_the_database_refuses_nonsense(draft, collector, now, wrong, constraint):
    right = {
        "lot": draft(collector),
        "format": "CATENA_X",
        "sha256": "0" * 64,
        "original": {},
        "added_by_id": collector.user_id,
        "added_at": now,
    }
    LotPassport.objects.create(**right)

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        LotPassport.objects.create(**right | wrong)


# --- the command ----------------------------------------------------------------------------------


def run(*args) -> str:
    out = StringIO()
    call_command("import_passport", *map(str, args), stdout=out)
    return out.getvalue()


def test_the_command_prints_and_keeps_nothing(db, tmp_path):
    path = tmp_path / "passport.json"
    path.write_text(json.dumps(passport(performance__dynamic__energy__soce__value=1e38)))

    printed = run(path)

    assert "Catena-X battery_pass 6.1.0" in printed
    assert "mass_kg" in printed
    assert "420 kg" in printed
    assert "absurd" in printed
    assert nothing_was_kept()


def test_the_command_keeps_it_for_a_lot(submitted, collector, tmp_path):
    lot = submitted(collector)
    path = tmp_path / "passport.json"
    path.write_text(json.dumps(PASSPORT), encoding="utf-16")

    assert f"Lot {lot.pk}" in run(path, "--lot", lot.pk)

    kept = LotPassport.objects.get()
    assert (kept.lot_id, kept.added_by_id) == (lot.pk, collector.user_id)


def test_the_command_ends_with_1_when_it_refuses(submitted, collector, tmp_path):
    broken, good = tmp_path / "broken.json", tmp_path / "good.json"
    broken.write_text("{")
    good.write_text(json.dumps(PASSPORT))

    for arguments in ([broken], [tmp_path / "none.json"], [good, "--lot", 999_999_999]):
        with pytest.raises(CommandError) as refused:
            run(*arguments)
        assert refused.value.returncode == 1
    assert nothing_was_kept()


def test_a_signed_passport_keeps_its_token_and_what_we_found_out(submitted, collector, now):
    lot = submitted(collector)
    signer = Signer()
    token = signer.sign(dpp(issuer=signer.did))

    kept = services.import_passport(lot, actor=collector, given=token, now=now)

    assert (kept.signature, kept.signed_by, kept.token) == ("CHECKED", signer.did, token)
    assert kept.read["chemistry"]["believed"]


def test_nothing_of_a_wrongly_signed_passport_answers_anything(submitted, collector, now):
    lot = submitted(collector)
    signer, other = Signer(), Signer()

    kept = services.import_passport(
        lot, actor=collector, given=other.sign(dpp(issuer=signer.did)), now=now
    )

    assert kept.signature == "WRONG"
    assert not any(field["believed"] for field in kept.read.values())
    assert not lot.health_claims.exists()


def test_the_database_knows_the_four_words_about_a_signature(submitted, collector, now):
    lot = submitted(collector)
    services.import_passport(lot, actor=collector, given=json.dumps(dpp()), now=now)

    for nonsense in ({"signature": "SURE"}, {"signed_by": "did:key:z1"}):
        with pytest.raises(IntegrityError, match="passport_signature_known"), transaction.atomic():
            LotPassport.objects.update(**nonsense)
