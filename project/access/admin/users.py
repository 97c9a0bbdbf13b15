"""The people who sign in: one tenant's, never the installation's superusers."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from project.access.current import tenant_of
from project.access.forms import AccountForm, NewAccountForm, NewPasswordForm
from project.access.groups import GROUPS
from project.access.models import User
from project.tenant_admin import TenantAdmin

PERSON = ("first_name", "last_name"), "email"
WORK = "recipient_login", "time_zone"


class GroupFilter(admin.SimpleListFilter):
    title = "group"
    parameter_name = "group"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in GROUPS]

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        return queryset.filter(groups__name=self.value()) if self.value() in GROUPS else queryset


@admin.register(User)
class AccountAdmin(TenantAdmin[User], UserAdmin):  # type: ignore[type-arg]
    """Accounts of the tenant.

    Who may do what is given by groups alone. Superusers are made and changed on the command line
    only, so nobody rises above a group here; and nobody changes their own groups or puts their
    own account to rest, so a tenant keeps at least one Administrator.
    """

    form = AccountForm
    add_form = NewAccountForm
    change_password_form = NewPasswordForm
    add_form_template = None
    list_display = ("username", "full_name", "group_names", "email", "last_login", "account")
    list_filter = (GroupFilter, "is_active")
    search_fields = ("username", "first_name", "last_name", "email")
    search_help_text = "Name or e-mail"
    list_per_page = 50
    filter_horizontal = ()
    readonly_fields = ("sign_in", "new_sign_in", "last_login", "date_joined")
    add_fieldsets = (
        (None, {"fields": ("username", *PERSON)}),
        ("First password", {"fields": ("password1", "password2")}),
        ("Rights", {"fields": ("groups",)}),
        ("Work", {"fields": WORK}),
    )

    @admin.display(description="name", ordering="first_name")
    def full_name(self, user: User) -> str:
        return user.get_full_name()

    @admin.display(description="groups")
    def group_names(self, user: User) -> str:
        if user.is_superuser:
            return "Superuser"
        return ", ".join(group.name for group in user.groups.all())

    @admin.display(description="password")
    def sign_in(self, user: User) -> str:
        return "is set" if user.has_usable_password() else "is not set: this person can't sign in"

    @admin.display(description="password")
    def new_sign_in(self, user: User) -> SafeString:
        url = reverse("admin:auth_user_password_change", args=[user.pk])
        return format_html('{} · <a href="{}">set a new one</a>', self.sign_in(user), url)

    @admin.display(description="account", ordering="is_active")
    def account(self, user: User) -> SafeString:
        state, word = ("active", "active") if user.is_active else ("resting", "at rest")
        return format_html('<span class="state state-{}">{}</span>', state, word)

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """The tenant's people; a superuser also sees those who belong to no tenant."""
        theirs = Q(tenant=tenant_of(request))
        if request.user.is_superuser:
            theirs |= Q(tenant=None)
        return User.objects.filter(theirs).order_by("username").prefetch_related("groups")

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        if obj is None:
            return self.add_fieldsets
        own = obj.pk == request.user.pk
        password = (
            "new_sign_in" if self.has_change_permission(request, obj) and not own else "sign_in"
        )
        return (
            (None, {"fields": ("username", *PERSON, password)}),
            ("Rights", {"fields": ("is_active", "groups")}),
            ("Work", {"fields": WORK}),
            ("Dates", {"fields": (("last_login", "date_joined"),)}),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        fixed = super().get_readonly_fields(request, obj)
        own = obj is not None and obj.pk == request.user.pk
        return (*fixed, "is_active", "groups") if own else fixed

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and _may_touch(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        own = obj is not None and obj.pk == request.user.pk
        return super().has_delete_permission(request, obj) and _may_touch(request, obj) and not own

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        obj.is_staff = True  # everybody with an account signs in here
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        before = set(form.instance.groups.values_list("name", flat=True)) if change else set()
        super().save_related(request, form, formsets, change)
        after = set(form.instance.groups.values_list("name", flat=True))
        if before != after:
            self.note(request, form.instance, "groups", before=sorted(before), after=sorted(after))

    def user_change_password(
        self,
        request: HttpRequest,
        id: str,  # noqa: A002 - Django's name
        form_url: str = "",
    ) -> HttpResponse:
        user = self.get_object(request, id)
        if user is not None and user.pk == request.user.pk:
            raise PermissionDenied("One's own password is changed in the menu at the top right.")
        before = user.password if user else ""
        response = super().user_change_password(request, id, form_url)
        if user is not None:
            user.refresh_from_db(fields=["password"])
            if user.password != before:
                self.note(request, user, "password")
        return response


def _may_touch(request: HttpRequest, obj: User | None) -> bool:
    """Superusers are out of an Administrator's reach, also those of the same tenant."""
    return obj is None or not obj.is_superuser or bool(request.user.is_superuser)
