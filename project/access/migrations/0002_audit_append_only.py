from django.db import migrations

from project.append_only import refuse_updates


class Migration(migrations.Migration):
    dependencies = [("access", "0001_initial")]

    operations = [refuse_updates("access_auditentry", "An audit entry is never changed.")]
