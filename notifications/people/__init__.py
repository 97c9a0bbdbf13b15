from notifications.people.service import (
    LUMA_ROLES,
    ensure_luma_roles,
    opt_in,
    opt_out,
    save_recipient,
    set_active,
)

__all__ = [
    "LUMA_ROLES",
    "ensure_luma_roles",
    "opt_in",
    "opt_out",
    "save_recipient",
    "set_active",
]
