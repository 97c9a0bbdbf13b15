"""Carillon's own settings, serving the bare view that the bench compares with."""

from project.settings import *  # noqa: F403

ROOT_URLCONF = "tests.bench.bare_urls"
