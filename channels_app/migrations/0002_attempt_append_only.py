from django.db import migrations

from project.append_only import refuse_updates


class Migration(migrations.Migration):
    dependencies = [("channels_app", "0001_initial")]

    operations = [refuse_updates("channels_app_attempt", "An attempt is never changed.")]
