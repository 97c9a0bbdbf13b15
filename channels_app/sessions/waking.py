from project.hints import hint_watcher

TASK = "channels_app.sessions.tending.tend"


def wake_for_sessions() -> None:
    """Tell the workers that a session is to come up, once it is stored."""
    hint_watcher(TASK)
