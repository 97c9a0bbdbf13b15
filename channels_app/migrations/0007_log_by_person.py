from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("channels_app", "0006_attempt_spare_index")]

    operations = [
        migrations.RemoveIndex(model_name="delivery", name="delivery_log_person"),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(("recipient_id__isnull", False)),
                fields=["tenant", "recipient_id", "created_at", "id"],
                name="delivery_log_person",
            ),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(("recipient_id__isnull", True)),
                fields=["tenant", "recipient", "created_at", "id"],
                name="delivery_log_login",
            ),
        ),
    ]
