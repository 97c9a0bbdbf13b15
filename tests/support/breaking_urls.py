"""The project's routes, and one that fails."""

from typing import NoReturn

from django.http import HttpRequest
from django.urls import path

from project import urls

handler500 = urls.handler500


def breaks(request: HttpRequest) -> NoReturn:
    raise RuntimeError("a detail of ours")


urlpatterns = [*urls.urlpatterns, path("breaks/", breaks)]
