"""A lithium point that once was quoted is never changed either."""

from django.db import migrations

REFUSE = """
CREATE TRIGGER lithium_point_is_never_changed BEFORE UPDATE ON reference_lithiumpointquote
    FOR EACH ROW EXECUTE FUNCTION reference_refuse_change();
"""
ALLOW = "DROP TRIGGER lithium_point_is_never_changed ON reference_lithiumpointquote;"


class Migration(migrations.Migration):
    dependencies = [("reference", "0003_judgement")]

    operations = [migrations.RunSQL(REFUSE, ALLOW)]
