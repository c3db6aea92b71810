from django.db import migrations

KEPT = """
CREATE FUNCTION logistics_handover_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a handover is never changed or deleted'
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'handover_is_kept';
END $$;
CREATE TRIGGER handover_is_kept BEFORE UPDATE OR DELETE ON logistics_handover
    FOR EACH ROW EXECUTE FUNCTION logistics_handover_is_kept();
"""
DROP = """
DROP TRIGGER handover_is_kept ON logistics_handover;
DROP FUNCTION logistics_handover_is_kept();
"""


class Migration(migrations.Migration):
    dependencies = [("logistics", "0001_initial")]
    operations = [migrations.RunSQL(KEPT, DROP)]
