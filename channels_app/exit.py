"""Which addresses a channel's requests may reach."""

from ipaddress import ip_network

from django.conf import settings

from channels_app.http import AddressPolicy
from channels_app.models import Channel

_LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


def policy_for(channel: Channel) -> AddressPolicy:
    """Permit the public Internet, the operator's networks, and to a demo this machine itself."""
    own = _LOOPBACK if channel.tenant.is_demo else ()
    return AddressPolicy(allowed_networks=(*settings.ALLOWED_NETWORKS, *own))
