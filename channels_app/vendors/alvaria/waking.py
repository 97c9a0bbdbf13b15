from project.hints import hint_watcher

TASK = "channels_app.vendors.alvaria.inbound.carry_out"


def wake_for_callbacks() -> None:
    """Tell the workers that a callback is to be carried out, once it is stored."""
    hint_watcher(TASK)
