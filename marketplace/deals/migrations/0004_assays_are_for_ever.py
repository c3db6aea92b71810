from django.db import migrations

KEPT = """
CREATE FUNCTION deals_assay_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'an assay is never changed or deleted'
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'assay_is_kept';
END $$;
CREATE TRIGGER assay_is_kept BEFORE UPDATE OR DELETE ON deals_assay
    FOR EACH ROW EXECUTE FUNCTION deals_assay_is_kept();
CREATE TRIGGER assay_is_kept BEFORE UPDATE OR DELETE ON deals_assayresult
    FOR EACH ROW EXECUTE FUNCTION deals_assay_is_kept();
"""
DROP = """
DROP TRIGGER assay_is_kept ON deals_assayresult;
DROP TRIGGER assay_is_kept ON deals_assay;
DROP FUNCTION deals_assay_is_kept();
"""


class Migration(migrations.Migration):
    dependencies = [("deals", "0003_assays")]
    operations = [migrations.RunSQL(KEPT, DROP)]
