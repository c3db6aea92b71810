"""From a report to a certificate, and back: what the services allow, refuse, write and never do twice."""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from hashlib import sha256
from uuid import uuid4

import pytest
import zxingcpp
from django.core.exceptions import PermissionDenied
from django.core.files.storage import default_storage
from django.db import IntegrityError, connection, transaction
from jwcrypto import jwk, jws
from pypdf import PdfReader

from marketplace.accounts.actors import SYSTEM
from marketplace.accounts.capabilities import Role
from marketplace.accounts.models import Licence
from marketplace.certificates import keys, queries, services, tasks
from marketplace.certificates.models import (
    Certificate,
    CertificatePaper,
    ProcessingReport,
    ReportOutput,
    StatusList,
    Withdrawal,
)
from marketplace.certificates.rules.mass_balance import Output, Wrong
from marketplace.certificates.rules.signatures import Answer, Flaw, sign
from marketplace.certificates.rules.status_list import is_set
from marketplace.certificates.services.issuing import Prepared
from marketplace.core.models import AlreadyMovedOn
from marketplace.deals.models import Deal, Dispute
from marketplace.journal.models import Entry, Job
from marketplace.journal.services import run
from tests.cast_certificates import *  # noqa: F403
from tests.cast_certificates import NOON, SITE, issue, report, settled_deal

pytestmark = pytest.mark.django_db


def refused(refusing, *args, **changes):
    before = (ProcessingReport.objects.count(), Job.objects.count(), Entry.objects.count())
    with pytest.raises(refusing) as refusal:
        report(*args, **changes)
    after = (ProcessingReport.objects.count(), Job.objects.count(), Entry.objects.count())
    assert after == before
    return refusal.value


# --- reporting --------------------------------------------------------------------------------


def test_a_report_is_kept_and_its_certificate_queued(deal, recycler, licence):
    made = report(deal, recycler)

    assert made.status == ProcessingReport.Status.SUBMITTED
    assert made.licence == licence
    assert made.processor_id == deal.buyer_id
    assert [(o.material, o.mass_kg) for o in made.outputs.all()] == [
        ("COPPER", Decimal("12.400")),
        ("NICKEL", Decimal("22.000")),
        ("BLACK_MASS", Decimal("40.000")),
    ]
    assert [
        entry.name for entry in Entry.objects.filter(name__startswith="certificates").order_by("pk")
    ] == ["certificates.ProcessingReported"]
    deal.refresh_from_db()
    deal.lot.refresh_from_db()
    assert (deal.status, deal.lot.status) == ("PROCESSED", "PROCESSED")
    assert issuing().count() == 1


def issuing():
    """The jobs that issue certificates. Others react to a lot that moved."""
    return Job.objects.filter(kind="certificates.issue")


def test_the_same_request_reports_once(deal, recycler):
    request_id = uuid4()

    first = report(deal, recycler, request_id=request_id)
    again = report(deal, recycler, request_id=request_id)

    assert first == again
    assert ProcessingReport.objects.count() == issuing().count() == 1


def test_a_deal_may_be_processed_in_batches_but_never_beyond_what_was_accepted(deal, recycler):
    half = {"outputs": [Output("COPPER", Decimal(40))], "residue_kg": Decimal("16.2")}
    report(deal, recycler, input_kg=Decimal("56.2"), loss_kg=Decimal(0), **half)
    report(deal, recycler, input_kg=Decimal("56.2"), loss_kg=Decimal(0), **half)

    refusal = refused(
        services.ProcessingRefused,
        deal,
        recycler,
        input_kg=Decimal("0.001"),
        outputs=[Output("COPPER", Decimal("0.001"))],
        residue_kg=Decimal(0),
        loss_kg=Decimal(0),
    )

    assert refusal.code == "more_than_accepted"
    assert " 0 kg" in refusal.message


@pytest.mark.parametrize(
    ("wrong", "field", "changes"),
    [
        (Wrong.OUTPUTS_ABOVE_INPUT, "outputs", {"outputs": [Output("LEAD", Decimal(113))]}),
        (Wrong.TOO_MUCH, "residue_kg", {"residue_kg": Decimal(40)}),
        (Wrong.TOO_LITTLE, "residue_kg", {"residue_kg": Decimal(0)}),
        (Wrong.LOSS_NEGATIVE, "loss_kg", {"loss_kg": Decimal(-1)}),
        (Wrong.RESIDUE_NEGATIVE, "residue_kg", {"residue_kg": Decimal(-1)}),
        (Wrong.NOTHING_CAME_OUT, "outputs", {"outputs": []}),
        (Wrong.INPUT_TOO_LARGE, "input_kg", {"input_kg": Decimal("1e30")}),
        (Wrong.NOT_A_NUMBER, "input_kg", {"input_kg": Decimal("NaN")}),
    ],
)
def test_masses_that_disagree_are_refused_with_the_reason(deal, recycler, wrong, field, changes):
    refusal = refused(services.ProcessingRefused, deal, recycler, **changes)

    assert (refusal.code, refusal.wrong, refusal.field) == ("masses_disagree", wrong, field)


@pytest.mark.parametrize("wrong", Wrong)
def test_every_reason_has_a_sentence(wrong):
    from marketplace.certificates.rules.mass_balance import Imbalance
    from marketplace.certificates.services.processing import MassesDisagree

    assert str(MassesDisagree(Imbalance(wrong, field="outputs"))).endswith(".")


@pytest.mark.parametrize(
    ("kind", "outputs"),
    [
        ("RECYCLED", [Output("PACKS", Decimal("74.4"), 3)]),
        ("REPURPOSED", [Output("COPPER", Decimal("74.4"))]),
    ],
)
def test_a_second_life_is_called_one(deal, recycler, kind, outputs):
    refusal = refused(services.ProcessingRefused, deal, recycler, kind=kind, outputs=outputs)

    assert refusal.field == "kind"


def test_only_the_buyer_may_report(deal, collector, verifier, member):
    for user in (collector, verifier, member(Role.RECYCLER, "Another Recycler")):
        refused(PermissionDenied, deal, user)


@pytest.mark.parametrize(
    "status", [s for s in Deal.Status if s not in ("SETTLED", "PROCESSED", "CERTIFIED")]
)
def test_nothing_is_reported_before_it_was_accepted_and_paid(deal, recycler, status):
    Deal.objects.filter(pk=deal.pk).update(
        status=status, reason_code="DAMAGED", proposed_kg=1, proposed_price=1
    )

    assert refused(services.ProcessingRefused, deal, recycler).code == "deal_not_ready"


def test_nothing_is_reported_while_a_dispute_is_open(deal, recycler):
    Dispute.objects.create(
        deal=deal,
        about="WEIGHT",
        opened_by=deal.seller,
        statement="Less!",
        undisputed_price=0,
        opened_at=NOON,
    )

    assert refused(services.ProcessingRefused, deal, recycler).code == "deal_not_ready"


@pytest.mark.parametrize("day", [date(2026, 11, 25), date(2099, 1, 1), date(2026, 11, 16)])
def test_a_day_that_cannot_be_is_refused(deal, recycler, day):
    refusal = refused(services.ProcessingRefused, deal, recycler, processed_on=day)

    assert (refusal.code, refusal.field) == ("day_impossible", "processed_on")


@pytest.mark.parametrize(
    "changes",
    [
        {"status": Licence.Status.SUSPENDED, "reason": "Inspection failed."},
        {"finish_until": date(2026, 11, 19), "valid_until": date(2026, 11, 19)},
        {"valid_from": date(2026, 11, 21)},
        {"acts": ["BID"]},
    ],
)
def test_without_a_licence_on_the_day_nothing_is_reported(deal, recycler, licence, changes):
    Licence.objects.filter(pk=licence.pk).update(**changes)

    assert refused(services.ProcessingRefused, deal, recycler).code == "not_licensed_that_day"


def test_a_licence_for_other_batteries_does_not_count(deal, recycler, licence, licence_of):
    other = licence_of(
        recycler, materials=["PBA"], valid_until=date(2030, 1, 1), finish_until=date(2030, 4, 1)
    )

    assert report(deal, recycler).licence == licence != other


def test_what_was_received_may_be_finished_after_the_licence_lapsed(deal, recycler, licence):
    Licence.objects.filter(pk=licence.pk).update(
        valid_until=date(2026, 11, 19), status=Licence.Status.EXPIRED
    )

    assert report(deal, recycler).licence == licence


# --- issuing ----------------------------------------------------------------------------------


def test_a_certificate_says_what_was_reported_and_others_can_verify_it(certificate, deal, keys_dir):
    document = queries.published_did_document()
    (method,) = document["verificationMethod"]
    token = jws.JWS()
    token.deserialize(certificate.signed, jwk.JWK(**method["publicKeyJwk"]))
    payload = json.loads(token.payload)

    assert payload["id"] == f"{SITE}/v/{certificate.code}/"
    assert payload["issuer"]["id"] == document["id"] == "did:web:voltbazaar.example"
    assert certificate.kid == method["id"] == document["assertionMethod"][0]
    status = payload["credentialStatus"]
    assert status["statusListIndex"] == certificate.status_index
    assert status["statusListCredential"] == f"{SITE}/status/{certificate.status_list_id}/"
    assert "Asha" not in jws_payload(certificate.signed).decode()
    assert certificate.report.status == ProcessingReport.Status.PROVED
    assert (certificate.holder_id, certificate.certified_kg) == (deal.buyer_id, deal.accepted_kg)
    assert certificate.sha256 == sha256(certificate.signed.encode()).hexdigest()
    deal.refresh_from_db()
    deal.lot.refresh_from_db()
    assert (deal.status, deal.lot.status) == ("CERTIFIED", "CERTIFIED")
    written = Entry.objects.filter(name__startswith="certificates").order_by("pk")
    assert list(written.order_by("pk").values_list("name", flat=True)) == [
        "certificates.ProcessingReported",
        "certificates.StatusListSigned",
        "certificates.CertificateIssued",
    ]


def read(paper):
    with default_storage.open(paper.file.name) as opened:
        return opened.read()


def test_each_paper_carries_the_exact_bytes_and_a_code_that_leads_to_the_page(
    certificate, tmp_path
):
    assert {paper.language for paper in certificate.papers.all()} == {"en", "id"}
    for paper in certificate.papers.all():
        content = read(paper)
        file = tmp_path / f"{paper.language}.pdf"
        file.write_bytes(content)

        assert sha256(content).hexdigest() == paper.sha256
        assert len(content) < 100_000
        (attached,) = PdfReader(file).attachments["certificate.vc.jwt"]
        assert attached.decode() == certificate.signed
        subprocess.run(["pdftoppm", "-r", "100", "-png", file, file.with_suffix("")], check=True)
        picture = next(tmp_path.glob(f"{paper.language}*.png"))
        from PIL import Image

        (seen,) = zxingcpp.read_barcodes(Image.open(picture))
        assert seen.text == f"{SITE}/v/{certificate.code}/"
        words = subprocess.run(
            ["pdftotext", "-layout", file, "-"], check=True, capture_output=True, text=True
        ).stdout
        assert "-".join(certificate.code[at : at + 4] for at in (0, 4, 8)) in words
        assert "Citra Recycler and friends" in words
        assert {"en": "112.4 kg", "id": "112,4 kg"}[paper.language] in words


def test_poppler_detaches_the_same_bytes(certificate, tmp_path):
    paper = certificate.papers.get(language="en")
    file = tmp_path / "paper.pdf"
    file.write_bytes(read(paper))

    subprocess.run(["pdfdetach", "-save", "1", "-o", tmp_path / "vc.jwt", file], check=True)

    assert (tmp_path / "vc.jwt").read_text() == certificate.signed


def test_a_job_that_runs_twice_makes_one_certificate(deal, recycler, keys_dir):
    made = report(deal, recycler)

    first, second = issue(made), issue(made)

    assert first == second
    assert Certificate.objects.count() == 1
    assert Entry.objects.filter(name="certificates.CertificateIssued").count() == 1


def test_of_two_prepared_certificates_the_later_one_is_dropped(deal, recycler, keys_dir):
    made = report(deal, recycler)
    one = services.prepare_certificate(made.pk, now=NOON)
    other = services.prepare_certificate(made.pk, now=NOON)

    kept = services.store_certificate(one, now=NOON)
    again = services.store_certificate(other, now=NOON)

    assert kept == again
    assert kept.code == one.code != other.code
    assert Certificate.objects.count() == 1
    assert CertificatePaper.objects.count() == 2


def test_a_worker_that_dies_in_the_middle_leaves_nothing_and_the_next_one_issues(
    deal, recycler, keys_dir, monkeypatch
):
    made = report(deal, recycler)
    job = issuing().get()
    clock = Ticking()
    with monkeypatch.context() as broken:
        broken.setattr(CertificatePaper.objects, "bulk_create", dies)
        assert run(job.pk, clock=clock) is False
    assert Certificate.objects.count() == CertificatePaper.objects.count() == 0
    made.refresh_from_db()
    assert made.status == ProcessingReport.Status.SUBMITTED
    assert "died" in Job.objects.get(pk=job.pk).last_error

    clock.minutes += 60
    assert run(job.pk, clock=clock) is True

    assert Certificate.objects.get().report == made
    assert Job.objects.get(pk=job.pk).state == Job.State.DONE


class Ticking:
    minutes = 0

    def __call__(self):
        return NOON + timedelta(minutes=self.minutes)


def dies(*_args, **_kwargs):
    raise RuntimeError("died")


def test_without_a_key_nothing_is_issued_and_nothing_is_lost(deal, recycler, keys_dir):
    made = report(deal, recycler)
    job = issuing().get()
    (keys_dir / keys.PRIVATE).rename(keys_dir / "elsewhere")

    assert run(job.pk, clock=Ticking()) is False

    assert Certificate.objects.count() == StatusList.objects.count() == 0
    assert "create_keys" in Job.objects.get(pk=job.pk).last_error
    (keys_dir / "elsewhere").rename(keys_dir / keys.PRIVATE)
    assert issue(made) is not None


@pytest.mark.parametrize("when", ["before", "between"])
def test_a_report_that_became_false_is_refused_with_the_reason(
    deal, recycler, licence, keys_dir, when
):
    made = report(deal, recycler)
    prepared = services.prepare_certificate(made.pk, now=NOON) if when == "between" else None
    Licence.objects.filter(pk=licence.pk).update(
        status=Licence.Status.SUSPENDED, reason="Inspection failed."
    )
    if prepared is None:
        prepared = services.prepare_certificate(made.pk, now=NOON)

    assert isinstance(prepared, Prepared) == (when == "between")
    assert services.store_certificate(prepared, now=NOON) is None

    made.refresh_from_db()
    assert made.status == ProcessingReport.Status.REFUSED
    assert "licence" in made.refusal
    assert Certificate.objects.count() == 0
    assert Entry.objects.filter(name="certificates.ReportContradicted").count() == 1
    assert services.prepare_certificate(made.pk, now=NOON) is None


def test_after_a_lowered_acceptance_no_more_is_certified(deal, recycler, keys_dir):
    made = report(deal, recycler)
    Deal.objects.filter(pk=deal.pk).update(accepted_kg=Decimal(100))

    assert issue(made) is None

    made.refresh_from_db()
    assert made.status == ProcessingReport.Status.REFUSED


def test_a_bit_drawn_twice_is_caught_by_the_database(
    certificate, deal, recycler, licence, collector
):
    other = report(settled_deal(collector, recycler, licence), recycler)
    made = services.prepare_certificate(other.pk, now=NOON)
    same_bit = replace(made, index=certificate.status_index)

    with pytest.raises(IntegrityError, match="certificate_has_its_own_bit"), transaction.atomic():
        services.store_certificate(same_bit, now=NOON)

    assert services.store_certificate(made, now=NOON).status_list == certificate.status_list


def test_a_bit_that_is_taken_is_not_drawn_again(
    certificate, deal, recycler, licence, collector, monkeypatch
):
    other = report(settled_deal(collector, recycler, licence), recycler)
    drawn = iter([certificate.status_index, certificate.status_index, 77])
    numbers = "marketplace.certificates.services.issuing.secrets.randbelow"
    monkeypatch.setattr(numbers, lambda below: next(drawn) if below > 29 else 0)

    assert services.prepare_certificate(other.pk, now=NOON).index == 77


def test_a_nearly_full_list_is_followed_by_a_new_one(certificate, keys_dir, monkeypatch):
    monkeypatch.setattr("marketplace.certificates.services.publishing.NEARLY_FULL", 1)

    opened = services.open_status_list(now=NOON)

    assert opened != certificate.status_list
    assert opened.signed_version == 1


def test_a_repurposed_pack_gets_a_certificate_of_repurposing(deal, recycler, keys_dir):
    made = report(
        deal,
        recycler,
        kind=ProcessingReport.Kind.REPURPOSED,
        outputs=[Output("MODULES", Decimal("108.4"), 24)],
        residue_kg=Decimal(4),
        loss_kg=Decimal(0),
    )

    facts = queries.check_code(issue(made).code).facts

    assert (facts.kind, facts.outputs) == ("REPURPOSED", (Output("MODULES", Decimal("108.4"), 24),))


def test_a_name_that_no_font_of_ours_has_is_certified_all_the_same(deal, recycler, keys_dir):
    deal.buyer.name = "电池回收"
    deal.buyer.save(update_fields=["name"])

    made = issue(report(deal, recycler))

    assert queries.check_code(made.code).facts.processor == "电池回收"
    assert made.papers.count() == 2


# --- checking ---------------------------------------------------------------------------------


def test_the_four_answers_and_the_fifth(certificate, verifier, second_verifier, keys_dir):
    stranger = sign(
        {
            "@context": ["https://www.w3.org/ns/credentials/v2"],
            "type": ["VerifiableCredential"],
            "issuer": "did:web:elsewhere.example",
            "credentialSubject": {"id": "urn:x"},
        },
        key=keys.signing_key(keys_dir),
        did="did:web:elsewhere.example",
    )
    header, payload, signature = certificate.signed.split(".")
    changed = f"{header}.{payload[:-3]}AAA.{signature}"

    assert queries.check_code(certificate.code).answer is Answer.GENUINE
    assert queries.check_text(certificate.signed).answer is Answer.GENUINE
    assert queries.check_text(changed).answer is Answer.ALTERED
    assert queries.check_code("2222-2222-2222").answer is Answer.NOT_FOUND
    assert queries.check_code("nonsense").answer is Answer.NOT_FOUND
    assert queries.check_text(stranger).answer is Answer.UNKNOWN_ISSUER
    revoke(certificate, verifier, second_verifier)
    assert queries.check_code(certificate.code).answer is Answer.WITHDRAWN
    assert queries.check_text(certificate.signed).answer is Answer.WITHDRAWN


@pytest.mark.parametrize("place", [5, 200, 2000, -5])
def test_one_altered_byte_is_noticed_whatever_it_is(certificate, place):
    text = certificate.signed
    at = place % len(text)
    other = "B" if text[at] != "B" else "C"

    found = queries.check_text(text[:at] + other + text[at + 1 :])

    assert found.answer in (Answer.ALTERED, Answer.UNKNOWN_ISSUER)


def test_bytes_that_changed_in_our_own_tables_are_noticed(certificate):
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE certificates_certificate DISABLE TRIGGER USER")
        cursor.execute(
            "UPDATE certificates_certificate SET signed = replace(signed, 'a', 'b') WHERE id = %s",
            [certificate.pk],
        )
        cursor.execute("ALTER TABLE certificates_certificate ENABLE TRIGGER USER")

    assert queries.check_code(certificate.code).answer is Answer.ALTERED


def test_a_certificate_moved_to_another_code_is_altered(
    certificate, deal, recycler, licence, collector
):
    other = issue(report(settled_deal(collector, recycler, licence), recycler))
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE certificates_certificate DISABLE TRIGGER USER")
        cursor.execute(
            "UPDATE certificates_certificate SET sha256 = repeat('0', 64) WHERE id = %s", [other.pk]
        )
        cursor.execute(
            "UPDATE certificates_certificate SET signed = %s, sha256 = %s WHERE id = %s",
            [other.signed, other.sha256, certificate.pk],
        )
        cursor.execute("ALTER TABLE certificates_certificate ENABLE TRIGGER USER")

    assert queries.check_code(certificate.code).answer is Answer.ALTERED


def test_a_certificate_signed_with_our_key_but_not_on_our_books_is_not_found(
    deal, recycler, keys_dir
):
    made = services.prepare_certificate(report(deal, recycler).pk, now=NOON)

    found = queries.check_text(made.signed)

    assert (found.answer, found.code) == (Answer.NOT_FOUND, made.code)


def test_a_second_signature_over_the_same_facts_is_not_the_certificate(certificate, keys_dir):
    document = json.loads(jws_payload(certificate.signed))
    again = sign(document, key=keys.signing_key(keys_dir), did="did:web:voltbazaar.example")

    assert queries.check_text(again).answer is Answer.ALTERED


def jws_payload(text):
    token = jws.JWS()
    token.deserialize(text)
    return token.objects["payload"]


def test_another_credential_of_ours_is_not_a_certificate(certificate):
    assert queries.check_text(certificate.status_list.signed).answer is Answer.NOT_FOUND


def test_an_altered_file_leads_to_the_true_certificate(certificate, keys_dir):
    document = json.loads(jws_payload(certificate.signed))
    thief = keys.create(keys_dir / "thief", at=NOON)[0]
    forged = sign(document, key=thief, did="did:web:voltbazaar.example")

    found = queries.check_text(forged)

    assert (found.answer, found.flaw) == (Answer.ALTERED, Flaw.UNKNOWN_KEY)
    assert found.certificate == certificate


def test_every_form_of_the_file_is_read(certificate):
    paper = read(certificate.papers.get(language="id"))
    enveloped = json.dumps({"id": f"data:application/vc+jwt,{certificate.signed}"}).encode()

    for content in (
        paper,
        enveloped,
        certificate.signed.encode(),
        f"{certificate.signed}\n".encode(),
    ):
        assert queries.check_file(content).answer is Answer.GENUINE


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        b"%PDF-1.7 nothing",
        b"%PDF-",
        b"\xff\xfe\x00",
        b"{}",
        b"{",
        b'{"id": 5}',
        b'{"id": "https://example.org"}',
        b"[" * 100_000,
        b"GIF89a",
    ],
)
def test_a_file_that_holds_no_certificate_is_not_found(certificate, content):
    assert queries.check_file(content).answer is Answer.NOT_FOUND


@pytest.mark.parametrize("attached", [b"\xff\xfe", b""])
def test_a_paper_with_another_attachment_is_not_a_certificate(certificate, tmp_path, attached):
    import pikepdf

    paper = pikepdf.new()
    paper.add_blank_page()
    paper.attachments["certificate.vc.jwt"] = pikepdf.AttachedFileSpec(paper, attached)
    paper.save(tmp_path / "paper.pdf", compress_streams=False)
    blank = pikepdf.new()
    blank.add_blank_page()
    blank.save(tmp_path / "blank.pdf")

    for name in ("paper.pdf", "blank.pdf"):
        assert queries.check_file((tmp_path / name).read_bytes()).answer is not Answer.GENUINE


def test_a_huge_file_is_not_read(certificate):
    found = queries.check_file(b"%PDF-" + bytes(50_000_000))

    assert (found.answer, found.flaw) == (Answer.ALTERED, Flaw.TOO_LONG)


def test_an_attachment_that_unpacks_to_gigabytes_is_not_read(certificate, tmp_path):
    import pikepdf

    bomb = pikepdf.new()
    bomb.add_blank_page()
    bomb.attachments["certificate.vc.jwt"] = pikepdf.AttachedFileSpec(bomb, bytes(30_000_000))
    bomb.save(tmp_path / "bomb.pdf", compress_streams=True)
    content = (tmp_path / "bomb.pdf").read_bytes()
    assert len(content) < 100_000

    assert queries.check_file(content).answer is Answer.NOT_FOUND


def test_after_a_rotation_old_certificates_stay_genuine_and_new_ones_name_the_new_key(
    certificate, keys_dir, deal, recycler, licence, collector
):
    new, _old = keys.rotate(keys_dir, at=NOON + timedelta(days=1))

    later = issue(report(settled_deal(collector, recycler, licence), recycler))

    assert later.kid.endswith(new["kid"]) is True
    assert queries.check_code(certificate.code).answer is Answer.GENUINE
    assert queries.check_code(later.code).answer is Answer.GENUINE


def test_after_a_compromise_what_the_key_signed_is_no_longer_genuine(certificate, keys_dir):
    _new, old = keys.rotate(keys_dir, at=NOON + timedelta(days=1))
    (keys_dir / f"{old}.public.json").unlink()

    found = queries.check_code(certificate.code)

    assert (found.answer, found.flaw) == (Answer.ALTERED, Flaw.UNKNOWN_KEY)


# --- withdrawing ------------------------------------------------------------------------------

REASON = "The weighbridge ticket was forged."


def revoke(certificate, verifier, second_verifier):
    proposed = services.propose_withdrawal(
        certificate, actor=verifier, public_reason=REASON, now=NOON + timedelta(hours=1)
    )
    return services.confirm_withdrawal(
        proposed, actor=second_verifier, now=NOON + timedelta(hours=2)
    )


def test_two_people_withdraw_a_certificate_and_the_status_list_says_so(
    certificate, verifier, second_verifier
):
    revoked = revoke(certificate, verifier, second_verifier)

    assert (revoked.status, revoked.revocation_reason) == (Certificate.Status.REVOKED, REASON)
    job = Job.objects.get(kind="certificates.sign_status_list")
    assert run(job.pk, clock=lambda: NOON + timedelta(hours=3)) is True
    shown = StatusList.objects.get()
    assert shown.signed_version == shown.version == 2
    found = json.loads(jws_payload(shown.signed))["credentialSubject"]["encodedList"]
    assert is_set(found, revoked.status_index)
    assert not is_set(found, (revoked.status_index + 1) % 131_072)


def test_a_proposal_alone_changes_nothing(certificate, verifier):
    services.propose_withdrawal(certificate, actor=verifier, public_reason=REASON, now=NOON)

    assert queries.check_code(certificate.code).answer is Answer.GENUINE


def test_nobody_confirms_their_own_proposal(certificate, verifier):
    proposed = services.propose_withdrawal(
        certificate, actor=verifier, public_reason=REASON, now=NOON
    )

    with pytest.raises(services.WithdrawalRefused, match="colleague"):
        services.confirm_withdrawal(proposed, actor=verifier, now=NOON)

    assert Certificate.objects.get().status == Certificate.Status.ISSUED
    assert Withdrawal.objects.get().status == Withdrawal.Status.PROPOSED


def test_only_those_who_may_revoke_can_propose(certificate, collector, recycler):
    for user in (collector, recycler):
        with pytest.raises(PermissionDenied):
            services.propose_withdrawal(certificate, actor=user, public_reason=REASON, now=NOON)
    with pytest.raises(PermissionDenied):
        services.propose_withdrawal(certificate, actor=SYSTEM, public_reason=REASON, now=NOON)
    assert Withdrawal.objects.count() == 0


def test_a_machine_cannot_withdraw(certificate, verifier):
    with pytest.raises(PermissionDenied):
        services.propose_withdrawal(
            certificate, actor=replace(verifier, user_id=None), public_reason=REASON, now=NOON
        )


def test_nobody_decides_in_their_own_business(certificate, deal, member):
    insider = member(Role.VERIFIER, "Insider", of=deal.seller_id)

    with pytest.raises(services.WithdrawalRefused, match="another one"):
        services.propose_withdrawal(certificate, actor=insider, public_reason=REASON, now=NOON)
    assert Withdrawal.objects.count() == 0


@pytest.mark.parametrize("reason", ["", "   ", "no"])
def test_a_withdrawal_needs_a_reason_that_people_can_read(certificate, verifier, reason):
    with pytest.raises(services.WithdrawalRefused) as refusal:
        services.propose_withdrawal(certificate, actor=verifier, public_reason=reason, now=NOON)
    assert refusal.value.field == "public_reason"
    assert Withdrawal.objects.count() == 0


def test_a_dismissed_proposal_can_be_made_again(certificate, verifier, second_verifier):
    proposed = services.propose_withdrawal(
        certificate, actor=verifier, public_reason=REASON, now=NOON
    )
    with pytest.raises(services.WithdrawalRefused, match="proposed"):
        services.propose_withdrawal(
            certificate, actor=second_verifier, public_reason=REASON, now=NOON
        )
    services.dismiss_withdrawal(proposed, actor=verifier, now=NOON)
    with pytest.raises(AlreadyMovedOn):
        services.confirm_withdrawal(proposed, actor=second_verifier, now=NOON)

    revoke(certificate, verifier, second_verifier)

    with pytest.raises(services.WithdrawalRefused, match="already"):
        services.propose_withdrawal(certificate, actor=verifier, public_reason=REASON, now=NOON)


def test_an_older_list_never_replaces_a_newer_one(certificate, verifier, second_verifier):
    stale = services.sign_status_list(certificate.status_list_id, now=NOON)
    revoke(certificate, verifier, second_verifier)
    fresh = services.sign_status_list(certificate.status_list_id, now=NOON)
    services.store_status_list(fresh, now=NOON)

    services.store_status_list(stale, now=NOON + timedelta(hours=5))

    assert StatusList.objects.get().signed == fresh.signed


def test_the_timer_signs_every_list_again(certificate):
    until = certificate.status_list.valid_until
    finish = tasks.renew_status_lists({"slot": NOON.isoformat()})
    with transaction.atomic():
        finish(NOON + timedelta(hours=6))
    job = Job.objects.get(kind="certificates.sign_status_list")

    assert run(job.pk, clock=lambda: NOON + timedelta(hours=6)) is True

    assert StatusList.objects.get().valid_until > until


def test_the_job_does_it_all_and_again_nothing(deal, recycler, keys_dir, settle, now):
    report(deal, recycler, now=now)

    settle()
    assert Certificate.objects.count() == 1
    assert tasks.issue_certificate({"report": ProcessingReport.objects.get().pk}) is None


# --- who sees what -----------------------------------------------------------------------------


def test_the_parties_and_those_who_revoke_see_a_certificate_in_lists(
    certificate, collector, recycler, verifier, member
):
    stranger = member(Role.RECYCLER, "Stranger")
    seeing = [
        actor
        for actor in (collector, recycler, verifier, stranger)
        if Certificate.objects.visible_to(actor).exists()
    ]

    assert seeing == [collector, recycler, verifier]
    assert ProcessingReport.objects.visible_to(collector).exists()
    assert not ProcessingReport.objects.visible_to(stranger).exists()
    assert not Withdrawal.objects.visible_to(recycler).exists()


# --- the database is the last judge -------------------------------------------------------------


def violates(name, rows, **changes):
    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        rows.update(**changes)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("processing_status_known", {"status": "MAYBE", "decided_at": NOON}),
        ("processing_kind_known", {"kind": "BURNT"}),
        ("processing_has_input", {"input_kg": 0, "residue_kg": 0, "loss_kg": 0}),
        ("processing_masses_not_negative", {"residue_kg": -1}),
        ("processing_masses_not_negative", {"loss_kg": -1}),
        ("processing_residue_and_loss_within_input", {"residue_kg": Decimal("112.401")}),
        ("processing_is_dated_once_decided", {"status": "PROVED"}),
        ("processing_is_dated_once_decided", {"decided_at": NOON}),
        (
            "processing_is_dated_once_decided",
            {"status": "PROVED", "decided_at": NOON - timedelta(days=1)},
        ),
        ("processing_refusal_has_a_reason", {"status": "REFUSED", "decided_at": NOON}),
        ("processing_refusal_has_a_reason", {"refusal": "Because."}),
        ("more is processed", {"input_kg": Decimal("112.401")}),
    ],
)
def test_nonsense_about_a_report_is_refused_by_the_database(deal, recycler, name, changes):
    made = report(deal, recycler)

    violates(name, ProcessingReport.objects.filter(pk=made.pk), **changes)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("output_known", {"material": "GOLD"}),
        ("output_has_mass", {"mass_kg": 0}),
        ("output_products_are_counted", {"units": 3}),
        ("output_products_are_counted", {"material": "PACKS"}),
        ("output_products_are_counted", {"material": "PACKS", "units": 0}),
        ("output_reported_once", {"material": "NICKEL"}),
    ],
)
def test_nonsense_about_an_output_is_refused_by_the_database(deal, recycler, name, changes):
    made = report(deal, recycler)

    violates(name, ReportOutput.objects.filter(report=made, material="COPPER"), **changes)


@pytest.mark.django_db(transaction=True)
def test_more_out_than_in_is_refused_by_the_database(deal, recycler):
    made = report(deal, recycler)

    with pytest.raises(IntegrityError, match="more came out"):
        ReportOutput.objects.filter(report=made, material="COPPER").update(mass_kg=100)


def test_a_request_counts_once_for_the_database_too(deal, recycler):
    made = report(deal, recycler)
    other = report_row(made, request_id=made.request_id)

    with pytest.raises(IntegrityError, match="processing_reported_once"), transaction.atomic():
        other.save(force_insert=True)


def report_row(made, **changes):
    values = {
        field.attname: getattr(made, field.attname)
        for field in ProcessingReport._meta.fields
        if field.name != "id"
    }
    return ProcessingReport(
        **values
        | {
            "input_kg": 1,
            "residue_kg": 0,
            "loss_kg": 0,
            "status": "REFUSED",
            "refusal": "No.",
            "decided_at": NOON,
        }
        | changes
    )


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        (
            "certificate_status_known|certificate_revoked_with",
            {"status": "MAYBE", "revoked_at": NOON, "revocation_reason": "Why."},
        ),
        (
            "certificate_revoked_with_date_and_reason",
            {"status": "REVOKED", "revocation_reason": "Why."},
        ),
        ("certificate_revoked_with_date_and_reason", {"status": "REVOKED"}),
        ("certificate_revoked_with_date_and_reason", {"revoked_at": NOON}),
        (
            "certificate_revoked_with_date_and_reason",
            {"status": "REVOKED", "revoked_at": NOON + timedelta(days=1)},
        ),
        ("never changed", {"code": "222222222222"}),
        ("never changed", {"signed": "other"}),
        ("never changed", {"certified_kg": 1}),
        ("never changed", {"status_index": 7}),
        ("never changed", {"issued_at": NOON - timedelta(days=1)}),
    ],
)
def test_nonsense_about_a_certificate_is_refused_by_the_database(certificate, name, changes):
    violates(name, Certificate.objects.filter(pk=certificate.pk), **changes)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("certificate_code_readable", {"code": "K7Q2M9"}),
        ("certificate_code_readable", {"code": "0" * 12}),
        ("certificate_digest_matches|digest is not", {"sha256": "0" * 64}),
        ("certificate_is_signed", {"signed": "", "sha256": sha256(b"").hexdigest()}),
        ("certificate_has_mass", {"certified_kg": 0}),
        ("certificate_share_in_range", {"recovered_share": Decimal("1.0001")}),
        ("certificate_share_in_range", {"recovered_share": Decimal("-0.1")}),
        ("certificate_index_in_list", {"status_index": 131_072}),
        ("certificates_certificate_code_key|_code_", {}),
    ],
)
def test_a_certificate_that_makes_no_sense_is_refused_by_the_database(
    certificate, deal, recycler, licence, collector, name, changes
):
    other = report(settled_deal(collector, recycler, licence), recycler)
    values = {
        field.attname: getattr(certificate, field.attname)
        for field in Certificate._meta.fields
        if field.name not in ("id", "report")
    }
    text = f"{certificate.signed}x"
    fresh = {
        "report_id": other.pk,
        "status_index": (certificate.status_index + 1) % 131_072,
        "signed": text,
        "sha256": sha256(text.encode()).hexdigest(),
    }
    if changes:
        fresh["code"] = "222222222222"

    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        Certificate.objects.create(**values | fresh | changes)


def test_an_issued_certificate_is_never_deleted_and_a_revoked_one_never_restored(
    certificate, verifier, second_verifier
):
    with pytest.raises(IntegrityError, match="never deleted"), transaction.atomic():
        Certificate.objects.filter(pk=certificate.pk)._raw_delete("default")
    revoke(certificate, verifier, second_verifier)

    violates(
        "never restored",
        Certificate.objects.filter(pk=certificate.pk),
        status="ISSUED",
        revoked_at=None,
        revocation_reason="",
    )


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("paper_digest_whole", {"sha256": "short"}),
        ("paper_has_a_file", {"file": ""}),
        ("certificate_printed_once_a_language", {"language": "id"}),
    ],
)
def test_nonsense_about_a_paper_is_refused_by_the_database(certificate, name, changes):
    violates(name, CertificatePaper.objects.filter(language="en"), **changes)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("status_list_signed_whole", {"signed": ""}),
        ("status_list_signed_whole", {"signed_at": None}),
        ("status_list_signed_whole", {"valid_until": None}),
        ("status_list_signed_whole", {"valid_until": NOON - timedelta(days=1)}),
        ("status_list_not_ahead", {"signed_version": 9}),
    ],
)
def test_nonsense_about_a_status_list_is_refused_by_the_database(certificate, name, changes):
    violates(name, StatusList.objects.all(), **changes)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("withdrawal_status_known", {"status": "MAYBE", "decided_by_id": 1, "decided_at": NOON}),
        ("withdrawal_has_a_reason", {"public_reason": ""}),
        ("withdrawal_decided_whole", {"decided_at": NOON}),
        ("withdrawal_decided_whole", {"status": "DISMISSED"}),
        ("withdrawal_decided_whole", {"status": "DISMISSED", "decided_by_id": 9_999}),
    ],
)
def test_nonsense_about_a_withdrawal_is_refused_by_the_database(
    certificate, verifier, name, changes
):
    services.propose_withdrawal(certificate, actor=verifier, public_reason=REASON, now=NOON)

    violates(name, Withdrawal.objects.all(), **changes)


def test_the_database_wants_two_people_and_one_proposal_at_a_time(certificate, verifier):
    services.propose_withdrawal(certificate, actor=verifier, public_reason=REASON, now=NOON)

    violates(
        "withdrawal_takes_two_people",
        Withdrawal.objects.all(),
        status="CONFIRMED",
        decided_by_id=verifier.user_id,
        decided_at=NOON,
    )
    with pytest.raises(IntegrityError, match="one_at_a_time"), transaction.atomic():
        Withdrawal.objects.create(
            certificate=certificate, public_reason=REASON, proposed_by_id=1, proposed_at=NOON
        )


# --- races ------------------------------------------------------------------------------------


def in_a_thread(work):
    try:
        return work()
    finally:
        connection.close()


@pytest.mark.django_db(transaction=True)
def test_many_reports_at_once_never_use_more_than_was_accepted(deal, recycler):
    part = {
        "input_kg": Decimal(30),
        "outputs": [Output("COPPER", Decimal(20))],
        "residue_kg": Decimal(8),
        "loss_kg": Decimal(2),
    }

    def attempt(_number):
        try:
            return in_a_thread(lambda: report(deal, recycler, **part))
        except services.ProcessingRefused as refusal:
            return refusal.code

    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(attempt, range(8)))

    assert said.count("more_than_accepted") == 5
    assert ProcessingReport.objects.count() == issuing().count() == 3


@pytest.mark.django_db(transaction=True)
def test_the_database_alone_keeps_reports_within_what_was_accepted(deal, recycler):
    """The same race, past the service: the trigger's own lock has to hold."""
    made = report(
        deal,
        recycler,
        input_kg=Decimal(30),
        outputs=[Output("COPPER", Decimal(20))],
        residue_kg=Decimal(8),
        loss_kg=Decimal(2),
    )

    def attempt(_number):
        row = report_row(
            made, request_id=uuid4(), input_kg=30, status="SUBMITTED", refusal="", decided_at=None
        )
        try:
            in_a_thread(lambda: row.save(force_insert=True))
        except IntegrityError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(8))) == 2


@pytest.mark.django_db(transaction=True)
def test_identical_requests_at_once_make_one_report(deal, recycler):
    request_id = uuid4()

    with ThreadPoolExecutor(8) as pool:
        made = list(
            pool.map(
                lambda _: in_a_thread(lambda: report(deal, recycler, request_id=request_id).pk),
                range(8),
            )
        )

    assert len(set(made)) == 1
    assert ProcessingReport.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_many_workers_at_once_issue_one_certificate(deal, recycler, keys_dir):
    made = report(deal, recycler)
    job = issuing().get()
    clock = Ticking()

    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(lambda _: in_a_thread(lambda: run(job.pk, clock=clock)), range(6)))

    assert done.count(True) == 1
    assert Certificate.objects.get().report == made
    assert CertificatePaper.objects.count() == 2
    assert StatusList.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_many_jobs_past_their_lease_store_one_certificate(deal, recycler, keys_dir):
    made = report(deal, recycler)
    prepared = [services.prepare_certificate(made.pk, now=NOON) for _ in range(4)]

    with ThreadPoolExecutor(4) as pool:
        stored = list(
            pool.map(
                lambda one: in_a_thread(lambda: services.store_certificate(one, now=NOON).pk),
                prepared,
            )
        )

    assert len(set(stored)) == Certificate.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_who_confirm_at_once_withdraw_once(certificate, verifier, second_verifier, member):
    third = member(Role.VERIFIER, "Third Watch")
    proposed = services.propose_withdrawal(
        certificate, actor=verifier, public_reason=REASON, now=NOON + timedelta(hours=1)
    )

    def confirm(user):
        try:
            in_a_thread(
                lambda: services.confirm_withdrawal(
                    proposed, actor=user, now=NOON + timedelta(hours=2)
                )
            )
        except AlreadyMovedOn:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(confirm, (second_verifier, third))) == [False, True]
    assert Job.objects.filter(kind="certificates.sign_status_list").count() == 1
    assert StatusList.objects.get().version == 2
