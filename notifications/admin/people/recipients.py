from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.contrib.admin.widgets import RelatedFieldWidgetWrapper
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.http import urlencode

from channels_app.chat_links import chat_url, gives_links
from channels_app.models import Channel
from channels_app.models.channel import FOR_PEOPLE, Kind
from notifications.admin.people.listing import ActiveFilter, Columns, PeopleList, RoleFilter
from notifications.admin.people.transfer import PeopleTransfer
from notifications.forms.people import AddressForm, OwnRows, RecipientForm
from notifications.models import Address, OptOut, Recipient
from notifications.models.recipient import login_key
from notifications.people import save_recipient, set_active
from project.access.current import actor_of, tenant_of
from project.race_safe import RaceSafeAdmin


class AddressInline(admin.TabularInline[Address, Recipient]):
    model = Address
    form = AddressForm
    formset = OwnRows
    extra = 1
    max_num = len(FOR_PEOPLE)
    verbose_name_plural = "Addresses"


class OptOutInline(admin.TabularInline[OptOut, Recipient]):
    model = OptOut
    formset = OwnRows
    fields = ("kind", "since")
    readonly_fields = ("since",)
    extra = 0
    max_num = len(FOR_PEOPLE) + 1
    verbose_name_plural = "Opted out of"


@admin.register(Recipient)
class RecipientAdmin(PeopleTransfer, Columns, RaceSafeAdmin[Recipient]):
    form = RecipientForm
    inlines = (AddressInline, OptOutInline)
    list_display = (
        "login",
        "shown_name",
        "shown_roles",
        "locale_and_zone",
        "shown_addresses",
        "shown_opt_outs",
        "shown_active",
    )
    list_filter = (RoleFilter, ActiveFilter)
    list_per_page = 50
    empty_value_display = ""
    sortable_by = ()
    search_fields = ("login", "name", "addresses__value")
    search_help_text = "Login, name or address"
    actions = ("activate", "put_to_rest")
    fieldsets = (
        (None, {"fields": (("login", "name"), ("locale", "time_zone"), "is_active")}),
        ("Roles and channel", {"fields": ("roles", "last_channel")}),
    )

    # --- the list ---

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return PeopleList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Recipient], search_term: str
    ) -> tuple[QuerySet[Recipient], bool]:
        for word in search_term.split()[:5]:
            by_address = Address.objects.filter(value__icontains=word).values("recipient")
            queryset = queryset.filter(
                Q(login_key__contains=login_key(word))
                | Q(name__icontains=word)
                | Q(pk__in=by_address)
            )
        return queryset, False

    @admin.action(description="Make active", permissions=["change"])
    def activate(self, request: HttpRequest, people: QuerySet[Recipient]) -> None:
        self._set_active(request, people, True)

    @admin.action(description="Put to rest: they get nothing", permissions=["change"])
    def put_to_rest(self, request: HttpRequest, people: QuerySet[Recipient]) -> None:
        self._set_active(request, people, False)

    def _set_active(self, request: HttpRequest, people: QuerySet[Recipient], active: bool) -> None:
        count = set_active(people, active, tenant=tenant_of(request), by=actor_of(request))
        word = "active" if active else "at rest"
        messages.success(
            request, f"{count:,} {'person is' if count == 1 else 'people are'} now {word}."
        )

    # --- one person ---

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Roles and channels are chosen here; they are made on their own pages."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None and isinstance(field.widget, RelatedFieldWidgetWrapper):
            field.widget = field.widget.widget
        return field

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        person: Recipient | None = context.get("original")
        if person is not None:
            context["deliveries_url"] = _deliveries_url(person)
            # Opening a person's chat marks messages as read, so readers get no link to it.
            if self.has_change_permission(request, person):
                context["chats"] = _chats(person)
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Recipient, form: Any, change: bool) -> None:
        """Everything is saved at once, in save_related."""

    def save_related(
        self, request: HttpRequest, form: Any, formsets: Sequence[Any], change: bool
    ) -> None:
        given: dict[type, list[dict[str, Any]]] = {
            formset.model: [
                one.cleaned_data
                for one in formset.forms
                if one.cleaned_data.get("kind") and not one.cleaned_data.get("DELETE")
            ]
            for formset in formsets
            if self._may_write(request, formset.model)
        }
        addresses, opt_outs = given.get(Address), given.get(OptOut)
        save_recipient(
            form.instance,
            by=actor_of(request),
            roles=form.cleaned_data.get("roles"),
            addresses=None if addresses is None else {a["kind"]: a["value"] for a in addresses},
            opt_outs=None if opt_outs is None else {out["kind"] for out in opt_outs},
        )

    @staticmethod
    def _may_write(request: HttpRequest, model: type) -> bool:
        name = model._meta.model_name  # type: ignore[attr-defined]
        verbs = ("add", "change", "delete")
        return all(request.user.has_perm(f"notifications.{verb}_{name}") for verb in verbs)

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> list[dict[str, Any]]:
        """The formsets are not saved by themselves, so Django can't ask them what changed."""
        return super().construct_change_message(request, form, [], add)


def _deliveries_url(person: Recipient) -> str:
    query = urlencode({"recipient": person.login})
    return f"{reverse('admin:channels_app_delivery_changelist')}?{query}"


def _chats(person: Recipient) -> list[tuple[str, str]]:
    """Return the name and the signed link of each chat window that this person has."""
    address = person.addresses.filter(kind=Kind.CHAT).values_list("value", flat=True).first()
    contact = address or person.login
    channels = Channel.objects.of(person.tenant).active().filter(kind=Kind.CHAT)
    return [(one.name, chat_url(one, contact)) for one in channels if gives_links(one)]
