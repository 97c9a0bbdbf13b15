from channels_app.admin import channels, deliveries, overview

__all__ = ["channels", "deliveries", "overview"]
