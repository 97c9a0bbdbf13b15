"""Where an attachment's URL may point: an agent's browser opens it, inside the agent's network."""

from ipaddress import ip_address

from channels_app.exit import policy_for
from channels_app.http import TransportError
from channels_app.models import Channel
from channels_app.payload import url_problem

# Names that resolve inside by convention: RFC 6761, RFC 6762, RFC 8375, ICANN's .internal.
_INSIDE = (
    *("localhost", "localdomain", "local", "internal", "home.arpa"),
    *("lan", "intranet", "corp", "home"),
)


def attachment_problem(url: str, channel: Channel) -> str:
    """Say why an attachment can't be shown, in a status message's words; empty when it can.

    Judged by the address in the URL, or by a name that says it is inside. Names are not looked
    up: the browser would look them up again, and may be answered otherwise.
    """
    if problem := url_problem(url):
        return f"Attachment refused: {problem}"
    policy = policy_for(channel)
    try:
        target = policy.target(url)
    except TransportError as error:
        return f"Attachment refused: {error}"
    host = target.host.strip("[]").rstrip(".").lower()
    try:
        inside = not policy.permits(str(ip_address(host)), target.port)
    except ValueError:
        last = host.rpartition(".")[2]
        looks_like_number = last.isdigit() or last.startswith("0x")  # 127.1, 0x7f.1, 2130706433
        named = host.endswith(tuple(f".{name}" for name in _INSIDE)) or "." not in host
        own = host == "localhost" and policy.permits("127.0.0.1", target.port)
        inside = looks_like_number or (named and not own)
    return "Attachment refused: its URL points inside a private network." if inside else ""
