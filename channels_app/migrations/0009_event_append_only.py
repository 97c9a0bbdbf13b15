from django.db import migrations

from project.append_only import refuse_updates


class Migration(migrations.Migration):
    dependencies = [("channels_app", "0008_sessions")]

    operations = [refuse_updates("channels_app_event", "An event is never changed.")]
