from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps


def forget_what_goes_on(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Delete the attempts that have not ended: their jobs say the same, and end them with a row of their own."""
    apps.get_model("jobs", "Attempt").objects.filter(models.Q(ended_at=None) | models.Q(outcome="")).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0004_no_index_begins_with_the_status"),
    ]

    operations = [
        migrations.RunPython(forget_what_goes_on, migrations.RunPython.noop),
        migrations.AlterField(
            model_name="attempt",
            name="started_at",
            field=models.DateTimeField(),
        ),
        migrations.AlterField(
            model_name="attempt",
            name="ended_at",
            field=models.DateTimeField(),
        ),
        migrations.AlterField(
            model_name="attempt",
            name="outcome",
            field=models.CharField(
                choices=[
                    ("succeeded", "Done"),
                    ("failed", "Failed"),
                    ("retried", "Failed, another attempt followed"),
                    ("lost", "Its worker stopped"),
                    ("on_hold", "Waits until somebody acts"),
                    ("handed_back", "Interrupted, its worker was shut down"),
                    ("cancelled", "Cancelled"),
                ],
                max_length=12,
            ),
        ),
    ]
