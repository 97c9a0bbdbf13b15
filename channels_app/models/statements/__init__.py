"""The dispatch engine's own SQL: what it says to the database for every few deliveries.

The ORM would spend more time on wording these than the database on carrying them out
(docs/benchmarks.md), so they are written down once, for both databases. Everything else about
deliveries is a query on `DeliveryQuerySet`.

On PostgreSQL each deed is one statement, so that it is one round trip and needs no transaction
around it; on SQLite it is some statements in a transaction.
"""

from channels_app.models.statements.books import Origin, shift
from channels_app.models.statements.claiming import Due, channels_due, claim
from channels_app.models.statements.receiving import Callback, callback_channel, keep_callback
from channels_app.models.statements.running import moment, on_postgres, together
from channels_app.models.statements.settling import Try, settle
from channels_app.models.statements.waiting import left_by_time

__all__ = [
    "Callback",
    "Due",
    "Origin",
    "Try",
    "callback_channel",
    "channels_due",
    "claim",
    "keep_callback",
    "left_by_time",
    "moment",
    "on_postgres",
    "settle",
    "shift",
    "together",
]
