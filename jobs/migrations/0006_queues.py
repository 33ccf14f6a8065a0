from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0005_attempts_are_written_when_they_end"),
    ]

    operations = [
        migrations.RemoveIndex(model_name="job", name="job_runnable"),
        migrations.RemoveIndex(model_name="job", name="job_outcomes"),
        migrations.RenameField(model_name="job", old_name="role", new_name="queue"),
        migrations.RenameField(model_name="pause", old_name="role", new_name="queue"),
        migrations.AddIndex(
            model_name="job",
            index=models.Index(
                condition=models.Q(("has_turn", True), ("status", "pending")),
                fields=["queue", "run_at"],
                name="job_runnable",
            ),
        ),
        migrations.AddIndex(
            model_name="job",
            index=models.Index(
                condition=models.Q(("finished_at__isnull", False)),
                fields=["finished_at", "queue", "kind", "status"],
                name="job_outcomes",
            ),
        ),
    ]
