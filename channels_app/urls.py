from django.urls import URLPattern, path

from channels_app.views import chat
from channels_app.views.pulse import pulse

urlpatterns: list[URLPattern] = [
    path("pulse/", pulse, name="pulse"),
    path("chat/<str:token>/", chat.window, name="chat"),
    path("chat/<str:token>/earlier", chat.earlier, name="chat-earlier"),
    path("chat/<str:token>/new", chat.new, name="chat-new"),
    path("chat/<str:token>/read", chat.read, name="chat-read"),
]
