"""What was paid, and what the index was said to be, is never changed: a correction is a new revision."""

from django.db import migrations

REFUSE = """
CREATE FUNCTION pricing_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% rows are never changed; add a revision', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER settled_price_is_never_changed BEFORE UPDATE OR DELETE ON pricing_settledprice
    FOR EACH ROW EXECUTE FUNCTION pricing_refuse_change();
CREATE TRIGGER index_value_is_never_changed BEFORE UPDATE OR DELETE ON pricing_indexvalue
    FOR EACH ROW EXECUTE FUNCTION pricing_refuse_change();
"""
ALLOW = """
DROP TRIGGER index_value_is_never_changed ON pricing_indexvalue;
DROP TRIGGER settled_price_is_never_changed ON pricing_settledprice;
DROP FUNCTION pricing_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("pricing", "0002_index")]

    operations = [migrations.RunSQL(REFUSE, ALLOW)]
