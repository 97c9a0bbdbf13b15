from django.apps import AppConfig


class ChannelsConfig(AppConfig):
    name = "channels_app"
    verbose_name = "Channels"

    def ready(self) -> None:
        from channels_app import connectors  # noqa: F401 - each registers its kind
        from channels_app.sessions import chat  # noqa: F401 - likewise
        from channels_app.vendors.alvaria import (  # noqa: F401 - likewise
            callbacks,
            client,
            client_face,
            closing,
            face,
            inbound,
        )
