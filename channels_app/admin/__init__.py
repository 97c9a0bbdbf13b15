from channels_app.admin import channels, deliveries, overview, sessions

__all__ = ["channels", "deliveries", "overview", "sessions"]
