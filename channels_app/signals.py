"""What this floor tells the floors above it."""

from django.dispatch import Signal

contact_seen = Signal()
"""A contact used a channel. Sent with ``channel`` and ``address`` (the contact there)."""

origin_settled = Signal()
"""An origin has nothing open any more. Sent after the commit, with ``kind`` and ``pk``."""
