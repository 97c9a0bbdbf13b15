from django.urls import URLPattern, path, re_path

from channels_app.vendors.alvaria.receiver import CallbackReceiver, unknown_address
from channels_app.vendors.alvaria.server import MessageView, SessionView, UnknownRoute
from channels_app.vendors.alvaria.token import AccessTokenView
from channels_app.views import chat
from channels_app.views.attachments import attachment
from channels_app.views.keys import key_set
from channels_app.views.pulse import pulse

_ALVARIA = "via/v2/organizations/<str:org_id>/serverMessaging"
urlpatterns: list[URLPattern] = [
    path("pulse/", pulse, name="pulse"),
    path("chat/<str:token>/", chat.window, name="chat"),
    path("chat/<str:token>/earlier", chat.earlier, name="chat-earlier"),
    path("chat/<str:token>/new", chat.new, name="chat-new"),
    path("chat/<str:token>/read", chat.read, name="chat-read"),
    path("chat/<str:token>/say", chat.say, name="chat-say"),
    path("attachments/<uuid:public_id>/<str:name>", attachment, name="attachment"),
    path("keys/<uuid:public_id>/jwks.json", key_set, name="key-set"),
    path("tokenservice/oauth2/access_token", AccessTokenView.as_view(), name="access-token"),
    path(f"{_ALVARIA}/session", SessionView.as_view(), name="alvaria-session"),
    path(f"{_ALVARIA}/message", MessageView.as_view(), name="alvaria-message"),
    re_path(r"^via/", UnknownRoute.as_view()),
    path("webhooks/alvaria/<uuid:public_id>", CallbackReceiver.as_view(), name="alvaria-callbacks"),
    re_path(r"^webhooks/alvaria/", unknown_address),
]
