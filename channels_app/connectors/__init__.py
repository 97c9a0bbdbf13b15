"""The channel kinds of this floor. Importing this package registers them."""

from channels_app.connectors import chat, email, webhook

__all__ = ["chat", "email", "webhook"]
