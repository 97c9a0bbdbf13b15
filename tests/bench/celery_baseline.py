"""The same baseline under Celery with Redis, set as its documents advise for many short tasks.

Results are not kept, tasks are fetched ahead, and the database connection is reused: unless told
so, Celery closes it after each task.
"""

import os

from celery import Celery

app = Celery("bench", broker=os.environ.get("REDIS_URL") or "memory://")
app.conf.update(
    task_ignore_result=True,
    worker_prefetch_multiplier=64,
    worker_disable_rate_limits=True,
    worker_send_task_events=False,
    broker_connection_retry_on_startup=True,
    task_default_queue=f"bench-{os.environ.get('CARILLON_DATA', '').rpartition('-')[2]}",
    CELERY_DB_REUSE_MAX=1_000_000,
)


@app.task  # type: ignore[untyped-decorator]
def send_one(pk: int) -> None:
    from tests.bench import q2_baseline  # Celery sets Django up after it has read this module

    q2_baseline.send_one(pk)
