"""The ledger's laws, kept by the database whatever code runs: movements balance, and nothing is rewritten."""

from django.db import migrations

BALANCED = """
CREATE FUNCTION ledger_movement_balances() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    of_movement bigint := CASE TG_TABLE_NAME WHEN 'ledger_movement' THEN NEW.id ELSE (to_jsonb(NEW)->>'movement_id')::bigint END;
BEGIN
    IF (SELECT count(*) FROM ledger_posting WHERE movement_id = of_movement) < 2 THEN
        RAISE EXCEPTION 'movement % has fewer than two legs', of_movement
            USING ERRCODE = 'check_violation', CONSTRAINT = 'movement_has_two_legs';
    END IF;
    IF EXISTS (SELECT 1 FROM ledger_posting WHERE movement_id = of_movement
               GROUP BY currency HAVING sum(amount) <> 0) THEN
        RAISE EXCEPTION 'the legs of movement % do not sum to zero', of_movement
            USING ERRCODE = 'check_violation', CONSTRAINT = 'movement_sums_to_zero';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER movement_balances AFTER INSERT ON ledger_movement
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_movement_balances();
CREATE CONSTRAINT TRIGGER posting_balances AFTER INSERT ON ledger_posting
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_movement_balances();
"""
BALANCED_BACK = """
DROP TRIGGER posting_balances ON ledger_posting;
DROP TRIGGER movement_balances ON ledger_movement;
DROP FUNCTION ledger_movement_balances();
"""
APPEND_ONLY = """
CREATE FUNCTION ledger_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: correct it by another movement', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'ledger_is_append_only';
END $$;
CREATE TRIGGER movement_is_never_changed BEFORE UPDATE OR DELETE ON ledger_movement
    FOR EACH ROW EXECUTE FUNCTION ledger_is_append_only();
CREATE TRIGGER posting_is_never_changed BEFORE UPDATE OR DELETE ON ledger_posting
    FOR EACH ROW EXECUTE FUNCTION ledger_is_append_only();
CREATE FUNCTION ledger_posting_fits_its_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM ledger_account a WHERE a.id = NEW.account_id
                   AND a.currency = NEW.currency
                   AND (a.organisation_id IS NULL) = (NEW.balance_after IS NULL)) THEN
        RAISE EXCEPTION 'posting in another currency than its account, or without its balance'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'posting_fits_its_account';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER posting_fits_its_account BEFORE INSERT ON ledger_posting
    FOR EACH ROW EXECUTE FUNCTION ledger_posting_fits_its_account();
"""
APPEND_ONLY_BACK = """
DROP TRIGGER posting_fits_its_account ON ledger_posting;
DROP FUNCTION ledger_posting_fits_its_account();
DROP TRIGGER posting_is_never_changed ON ledger_posting;
DROP TRIGGER movement_is_never_changed ON ledger_movement;
DROP FUNCTION ledger_is_append_only();
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial")]

    operations = [
        migrations.RunSQL(BALANCED, BALANCED_BACK),
        migrations.RunSQL(APPEND_ONLY, APPEND_ONLY_BACK),
    ]
