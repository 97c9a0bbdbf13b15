"""The one guarded exit: every HTTP request that Carillon makes leaves here.

``fetch`` makes a single call, ``BulkTransport`` keeps thousands in flight. Both obey the same
AddressPolicy, judged when the socket opens.
"""

from channels_app.http.bulk import BulkTransport
from channels_app.http.errors import ErrorCode, TransportError
from channels_app.http.finished import Finished
from channels_app.http.message import BadAnswer, HttpRequest, HttpResponse, Seal
from channels_app.http.policy import AddressPolicy
from channels_app.http.single import fetch

__all__ = [
    "AddressPolicy",
    "BadAnswer",
    "BulkTransport",
    "ErrorCode",
    "Finished",
    "HttpRequest",
    "HttpResponse",
    "Seal",
    "TransportError",
    "fetch",
]
