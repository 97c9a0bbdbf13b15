from channels_app.admin import (
    agents,
    channels,
    deliveries,
    inbound,
    overview,
    sessions,
    work_types,
)

__all__ = ["agents", "channels", "deliveries", "inbound", "overview", "sessions", "work_types"]
