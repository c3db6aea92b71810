from django.db import migrations

WITHIN_ACCEPTED = """
CREATE FUNCTION certificates_within_accepted() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    accepted numeric;
    used numeric;
BEGIN
    -- The lock makes two reports of one deal wait for each other; the sum is read in a statement after it.
    SELECT accepted_kg INTO accepted FROM deals_deal WHERE id = NEW.deal_id FOR NO KEY UPDATE;
    SELECT coalesce(sum(input_kg), 0) INTO used FROM certificates_processingreport
        WHERE deal_id = NEW.deal_id AND status <> 'REFUSED' AND id <> NEW.id;
    IF NEW.status <> 'REFUSED' AND (accepted IS NULL OR used + NEW.input_kg > accepted) THEN
        RAISE EXCEPTION 'more is processed than was accepted'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'processing_within_accepted';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER processing_within_accepted
    BEFORE INSERT OR UPDATE OF input_kg, status, deal_id ON certificates_processingreport
    FOR EACH ROW EXECUTE FUNCTION certificates_within_accepted();
"""
OUTPUTS_WITHIN_INPUT = """
CREATE FUNCTION certificates_outputs_within_input() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT sum(mass_kg) FROM certificates_reportoutput WHERE report_id = NEW.report_id)
        > (SELECT input_kg FROM certificates_processingreport WHERE id = NEW.report_id) THEN
        RAISE EXCEPTION 'more came out than went in'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'output_within_input';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER output_within_input
    AFTER INSERT OR UPDATE ON certificates_reportoutput DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION certificates_outputs_within_input();
"""
ISSUED_FOR_EVER = """
CREATE FUNCTION certificates_issued_for_ever() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.sha256 <> encode(sha256(convert_to(NEW.signed, 'UTF8')), 'hex') THEN
            RAISE EXCEPTION 'the digest is not that of the signed bytes'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'certificate_digest_matches';
        END IF;
        RETURN NEW;
    END IF;
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a certificate is never deleted'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'certificate_is_kept';
    END IF;
    IF ROW(NEW.code, NEW.report_id, NEW.holder_id, NEW.certified_kg, NEW.recovered_share, NEW.signed,
           NEW.sha256, NEW.kid, NEW.status_list_id, NEW.status_index, NEW.issued_at)
       IS DISTINCT FROM
       ROW(OLD.code, OLD.report_id, OLD.holder_id, OLD.certified_kg, OLD.recovered_share, OLD.signed,
           OLD.sha256, OLD.kid, OLD.status_list_id, OLD.status_index, OLD.issued_at)
       OR (OLD.status = 'REVOKED' AND NEW IS DISTINCT FROM OLD) THEN
        RAISE EXCEPTION 'an issued certificate is never changed, a revoked one never restored'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'certificate_is_never_changed';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER certificate_issued_for_ever
    BEFORE INSERT OR UPDATE OR DELETE ON certificates_certificate
    FOR EACH ROW EXECUTE FUNCTION certificates_issued_for_ever();
"""


class Migration(migrations.Migration):
    """What no constraint on one row can say."""

    dependencies = [("certificates", "0001_initial")]

    operations = [
        migrations.RunSQL(
            WITHIN_ACCEPTED,
            "DROP TRIGGER processing_within_accepted ON certificates_processingreport;"
            "DROP FUNCTION certificates_within_accepted();",
        ),
        migrations.RunSQL(
            OUTPUTS_WITHIN_INPUT,
            "DROP TRIGGER output_within_input ON certificates_reportoutput;"
            "DROP FUNCTION certificates_outputs_within_input();",
        ),
        migrations.RunSQL(
            ISSUED_FOR_EVER,
            "DROP TRIGGER certificate_issued_for_ever ON certificates_certificate;"
            "DROP FUNCTION certificates_issued_for_ever();",
        ),
    ]
