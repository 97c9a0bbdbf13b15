from project.hints import hint_watcher

TASK = "channels_app.sessions.tending.tend"


def wake_for_sessions() -> None:
    """Tell the workers that a session has come, or an event of one, once it is stored."""
    hint_watcher(TASK)
