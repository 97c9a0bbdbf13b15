from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("channels_app", "0003_channel_pauses")]

    operations = [
        migrations.RemoveIndex(model_name="delivery", name="delivery_log_channel"),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(
                fields=["channel", "state", "created_at", "id"], name="delivery_log_channel"
            ),
        ),
    ]
