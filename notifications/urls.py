from django.urls import URLPattern, re_path

from notifications.vendors.luma.server import NotifyLumaUser

urlpatterns: list[URLPattern] = [
    # Luma's exact path. Its own base URLs end in /vsa, and its callers keep theirs when they move.
    re_path(
        r"^(?:vsa/)?public/notifylumauser/message/?\Z",
        NotifyLumaUser.as_view(),
        name="luma-notify",
    ),
]
