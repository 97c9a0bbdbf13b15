"""The project's settings for child processes of tests that can't wait for an hour to pass.

``CARILLON_TEST_LEASE`` (seconds) shortens the leases, ``CARILLON_TEST_PACE`` (a factor) hurries
the retry plan; ``CARILLON_TEST_CLOCKS`` is a folder in which a file named by a process's number
says by how many seconds its clock is to be set. A delivery that says KILL kills its process.
"""

from project.settings import *  # noqa: F403
from project.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.support.hurrying.Hurrying"]
