from channels_app.admin import channels, deliveries

__all__ = ["channels", "deliveries"]
