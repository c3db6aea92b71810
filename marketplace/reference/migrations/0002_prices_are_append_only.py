"""A quote or a rate that once stood is never changed: a valuation can always be computed again."""

from django.db import migrations

REFUSE = """
CREATE FUNCTION reference_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% rows are never changed; add one with a new date or source', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER metal_quote_is_never_changed BEFORE UPDATE ON reference_metalquote
    FOR EACH ROW EXECUTE FUNCTION reference_refuse_change();
CREATE TRIGGER currency_rate_is_never_changed BEFORE UPDATE ON reference_currencyrate
    FOR EACH ROW EXECUTE FUNCTION reference_refuse_change();
"""
ALLOW = """
DROP TRIGGER metal_quote_is_never_changed ON reference_metalquote;
DROP TRIGGER currency_rate_is_never_changed ON reference_currencyrate;
DROP FUNCTION reference_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("reference", "0001_initial")]

    operations = [migrations.RunSQL(REFUSE, ALLOW)]
