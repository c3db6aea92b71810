"""What happened stays written: nobody changes or removes an entry, or the note of who reacted to it.

Emptying the tables is refused too, but for a session that says that it is a test which cleans up behind itself.
"""

from django.db import migrations

REFUSE = """
CREATE FUNCTION journal_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' AND current_setting('voltbazaar.may_truncate', true) = 'on' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'The journal is append-only: % on % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER entry_is_never_changed BEFORE UPDATE OR DELETE ON journal_entry
    FOR EACH ROW EXECUTE FUNCTION journal_refuse_change();
CREATE TRIGGER entries_are_never_emptied BEFORE TRUNCATE ON journal_entry
    FOR EACH STATEMENT EXECUTE FUNCTION journal_refuse_change();
CREATE TRIGGER delivery_is_never_changed BEFORE UPDATE OR DELETE ON journal_delivery
    FOR EACH ROW EXECUTE FUNCTION journal_refuse_change();
CREATE TRIGGER deliveries_are_never_emptied BEFORE TRUNCATE ON journal_delivery
    FOR EACH STATEMENT EXECUTE FUNCTION journal_refuse_change();
"""
ALLOW = """
DROP TRIGGER entry_is_never_changed ON journal_entry;
DROP TRIGGER entries_are_never_emptied ON journal_entry;
DROP TRIGGER delivery_is_never_changed ON journal_delivery;
DROP TRIGGER deliveries_are_never_emptied ON journal_delivery;
DROP FUNCTION journal_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("journal", "0001_initial")]

    operations = [migrations.RunSQL(REFUSE, ALLOW)]
