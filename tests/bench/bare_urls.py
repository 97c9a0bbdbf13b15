"""What the bench holds the Luma route against: a bare DRF view with one insert.

No token, no throttle, no checks, no audit trail; the same body, server and middlewares.
"""

from typing import Any

from django.db import models
from django.urls import re_path
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


class Line(models.Model):
    """A table of the bench's own, made by its row (tests/bench/rows/luma.py)."""

    message = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "bench"
        managed = False
        db_table = "bench_line"

    def __str__(self) -> str:
        return self.message


class OneInsert(APIView):
    permission_classes = [AllowAny]

    def post(self, request: Request) -> Response:
        asked: Any = request.data
        line = Line(message=asked["message"])
        line.save(force_insert=True)
        return Response({"id": line.pk})


urlpatterns = [re_path(r"^public/notifylumauser/message/?\Z", OneInsert.as_view())]
