import logging
import re

_CHAT_LINK = re.compile(r"(?<=/chat/)[^/\s?]+")


class WithoutChatLinks(logging.Filter):
    """Keeps chat links out of the log: whoever holds one may read and write in its window.

    Django names the path of each request that it refuses.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                _CHAT_LINK.sub("…", part) if isinstance(part, str) else part for part in record.args
            )
        return True
