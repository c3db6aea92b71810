from django.db import migrations

KEPT = """
CREATE FUNCTION deals_weighing_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a weighing is never changed or deleted'
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'weighing_is_kept';
END $$;
CREATE TRIGGER weighing_is_kept BEFORE UPDATE OR DELETE ON deals_weighing
    FOR EACH ROW EXECUTE FUNCTION deals_weighing_is_kept();
"""
DROP = """
DROP TRIGGER weighing_is_kept ON deals_weighing;
DROP FUNCTION deals_weighing_is_kept();
"""


class Migration(migrations.Migration):
    dependencies = [("deals", "0001_initial")]
    operations = [migrations.RunSQL(KEPT, DROP)]
