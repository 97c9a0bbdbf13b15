import django.db.models.deletion
from django.db import migrations, models

# Deliveries are looked up by tenant and by channel through the log's indexes, which begin with
# these columns. The statements are the same on both databases; on SQLite, AlterField would copy
# the whole log instead.
_SPARE = {
    "channels_app_delivery_tenant_id_b07be286": "tenant_id",
    "channels_app_delivery_channel_id_2eb42eed": "channel_id",
}


class Migration(migrations.Migration):
    dependencies = [("channels_app", "0004_log_by_channel_and_state")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    f'DROP INDEX "{name}"',
                    f'CREATE INDEX "{name}" ON "channels_app_delivery" ("{column}")',
                )
                for name, column in _SPARE.items()
            ],
            state_operations=[
                migrations.AlterField(
                    model_name="delivery",
                    name=name,
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="deliveries",
                        to=to,
                    ),
                )
                for name, to in (("tenant", "access.tenant"), ("channel", "channels_app.channel"))
            ],
        ),
    ]
