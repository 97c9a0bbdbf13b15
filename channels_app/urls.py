from django.urls import URLPattern, path

from channels_app.views import chat

urlpatterns: list[URLPattern] = [
    path("chat/<str:token>/", chat.window, name="chat"),
    path("chat/<str:token>/earlier", chat.earlier, name="chat-earlier"),
    path("chat/<str:token>/new", chat.new, name="chat-new"),
    path("chat/<str:token>/read", chat.read, name="chat-read"),
]
