import django.db.models.deletion
from django.db import migrations, models

# Attempts are looked up by delivery through the constraint's index, which begins with it. The
# statement is the same on both databases; on SQLite, AlterField would make the table anew and lose
# the trigger that keeps attempts from being changed.
_NAME = "channels_app_attempt_delivery_id_74b30d5b"


class Migration(migrations.Migration):
    dependencies = [("channels_app", "0005_delivery_spare_indexes")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    f'DROP INDEX "{_NAME}"',
                    f'CREATE INDEX "{_NAME}" ON "channels_app_attempt" ("delivery_id")',
                )
            ],
            state_operations=[
                migrations.AlterField(
                    model_name="attempt",
                    name="delivery",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="attempts",
                        to="channels_app.delivery",
                    ),
                )
            ],
        ),
    ]
