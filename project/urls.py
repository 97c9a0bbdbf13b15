from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

handler400 = "project.errors.bad_request"
handler403 = "project.errors.permission_denied"
handler404 = "project.errors.not_found"
handler500 = "project.errors.server_error"

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("", include("channels_app.urls")),
    path("", include("notifications.urls")),
]
