"""What this floor tells those above it."""

from django.dispatch import Signal

# A person added a tenant in the admin. Argument: tenant. Sent inside the transaction, so that
# what the floors above give it stands or falls with it.
tenant_added = Signal()
