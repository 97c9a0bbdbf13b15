"""Keys of an installation that was given none: made once, kept beside its data."""

import os
from collections.abc import Callable
from pathlib import Path


def keep(path: Path, make: Callable[[], str]) -> str:
    """Return the key kept at ``path``, making it on first use.

    Web and workers start together, so the file appears whole or not at all: written under a
    name of its own, then linked, and whoever comes second reads the first one's key.
    """
    if not path.exists():
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(make())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()
