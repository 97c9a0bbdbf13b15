from channels_app.admin import agents, channels, deliveries, overview, sessions, work_types

__all__ = ["agents", "channels", "deliveries", "overview", "sessions", "work_types"]
