import django.db.models.deletion
from django.db import migrations, models

# Whom the delivery log knows by a login that is not theirs (any more), before this was kept.
_SO_FAR = """
INSERT INTO notifications_formerlogin (tenant_id, login, recipient_id)
SELECT DISTINCT sent.tenant_id, sent.recipient, sent.recipient_id
FROM channels_app_delivery AS sent
LEFT JOIN notifications_recipient AS person
    ON person.id = sent.recipient_id AND person.tenant_id = sent.tenant_id
    AND person.login = sent.recipient
WHERE sent.recipient_id IS NOT NULL AND person.id IS NULL
"""


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0002_audit_append_only"),
        ("channels_app", "0007_log_by_person"),
        ("notifications", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="FormerLogin",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("login", models.CharField(max_length=254)),
                ("recipient_id", models.BigIntegerField()),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="access.tenant",
                    ),
                ),
            ],
            options={
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("tenant", "login", "recipient_id"), name="former_login_once"
                    )
                ],
            },
        ),
        migrations.RunSQL(_SO_FAR, migrations.RunSQL.noop),
    ]
