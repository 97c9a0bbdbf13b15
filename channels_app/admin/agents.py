"""The agents' pages."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.db.models import Exists, ForeignKey, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from channels_app.log.words import Clock
from channels_app.models import Agent, Presence
from channels_app.sessions import agents as services
from channels_app.sessions.routing import GONE_AFTER
from project.access.current import actor_of, tenant_of
from project.access.models import User
from project.race_safe import RaceSafeAdmin


class UserField(forms.ModelChoiceField):  # type: ignore[type-arg]
    def label_from_instance(self, obj: Any) -> str:
        name = obj.get_full_name()
        return f"{obj.get_username()} ({name})" if name else str(obj.get_username())


class AgentForm(forms.ModelForm[Agent]):
    class Meta:
        model = Agent
        fields = ["user", "alias", "capacity", "work_types"]
        labels = {"alias": "First name", "capacity": "Sessions at once"}
        help_texts = {
            "user": "One agent for each user; who it is can't be changed later.",
            "alias": "What contacts see. Left empty, it is the user's first name.",
            "capacity": "No more are offered or can be joined.",
        }
        widgets = {"work_types": forms.CheckboxSelectMultiple}
        error_messages = {"user": {"unique": "This user is an agent already."}}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if alias := self.fields.get("alias"):
            alias.required = False


@admin.register(Agent)
class AgentAdmin(RaceSafeAdmin[Agent]):
    form = AgentForm
    list_display = ("first_name", "person", "presence_shown", "load_shown", "skills")
    list_filter = ("presence",)
    search_fields = ("alias", "user__username")
    search_help_text = "First name or user name"
    sortable_by = ()
    list_per_page = 50
    actions = None
    change_list_template = "admin/channels_app/agent/change_list.html"
    change_form_template = "admin/channels_app/agent/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Agent]:
        able = Agent.objects.able().filter(pk=OuterRef("pk"))
        rows = Agent.objects.filter(tenant=tenant_of(request)).with_load()
        rows = rows.annotate(may_answer=Exists(able)).select_related("tenant", "user")
        return rows.prefetch_related("work_types").order_by("alias")

    # --- the list ---------------------------------------------------------------------------------

    @admin.display(description="first name")
    def first_name(self, agent: Agent) -> str:
        return agent.alias

    @admin.display(description="user")
    def person(self, agent: Agent) -> str | SafeString:
        problem = _problem(agent)
        name = agent.user.get_username()
        return format_html('{} <div class="quiet">{}</div>', name, problem) if problem else name

    @admin.display(description="presence")
    def presence_shown(self, agent: Agent) -> SafeString:
        badge = format_html(
            '<span class="state state-{}">{}</span>',
            agent.presence,
            agent.get_presence_display().lower(),
        )
        now = timezone.now()
        if agent.presence == Presence.AWAY or (agent.seen_at and agent.seen_at > now - GONE_AFTER):
            return badge
        since = (
            f"since {Clock(now, agent.tenant.zone).when(agent.seen_at)}" if agent.seen_at else ""
        )
        words = f"but the console is not open {since}".strip()
        return format_html('{} <div class="quiet">{}</div>', badge, words)

    @admin.display(description="in hand")
    def load_shown(self, agent: Agent) -> str:
        return f"{getattr(agent, 'load', 0)} of {agent.capacity}"

    @admin.display(description="answers")
    def skills(self, agent: Agent) -> str:
        return ", ".join(kind.name for kind in agent.work_types.all()) or "nothing yet"

    # --- the form ---------------------------------------------------------------------------------

    def get_fieldsets(self, request: HttpRequest, obj: Agent | None = None) -> Any:
        who = ("user", ("alias", "capacity"), "work_types")
        if obj is None:
            return ((None, {"fields": who}),)
        may = self.has_change_permission(request, obj)
        skills = "work_types" if may else "skills"
        return (
            (None, {"fields": (*who[:-1], skills)}),
            ("Now", {"fields": (("presence_shown", "load_shown"),)}),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Agent | None = None) -> Any:
        # An agent is one person: whose words they were must stay true.
        return ("user", "presence_shown", "load_shown", "skills") if obj else ()

    def formfield_for_foreignkey(
        self, db_field: ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> Any:
        if db_field.name == "user":
            theirs = Q(tenant=tenant_of(request))
            if request.user.is_superuser:
                theirs |= Q(tenant=None)
            free = User.objects.filter(theirs, agent=None, is_active=True)
            kwargs |= {"queryset": free.order_by("username"), "form_class": UserField}
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        # People and work types are chosen here, not made.
        if field is not None and hasattr(field.widget, "widget"):
            field.widget = field.widget.widget
        return field

    # --- what is saved ----------------------------------------------------------------------------

    def save_model(
        self, request: HttpRequest, obj: Agent, form: forms.ModelForm[Agent], change: bool
    ) -> None:
        by, skills = actor_of(request), form.cleaned_data["work_types"]
        if not change:
            services.create_agent(obj, by=by, work_types=skills)
        elif form.changed_data:
            services.change_agent(obj, by=by, work_types=skills, changed=form.changed_data)
        found = self.get_queryset(request).filter(pk=obj.pk).first()
        if found and (problem := _problem(found)):
            messages.warning(request, f"{obj} can't answer yet: {problem}.")

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> Any:
        agent = self.get_object(request, unquote(object_id))
        may = self.has_delete_permission(request, agent)
        # Asked before Django's page would list all that is in the way, a row each.
        if agent is not None and may and (why := services.why_it_stays(agent)):
            return self._stays(request, agent, why)
        try:
            return super().delete_view(request, object_id, extra_context)
        except services.AgentInUse as error:
            return self._stays(request, agent, str(error))

    def _stays(self, request: HttpRequest, agent: Agent | None, why: str) -> Any:
        messages.error(
            request, f"{agent} can't be deleted. {why} Take their work types away instead."
        )
        if agent is None:
            return redirect("admin:channels_app_agent_changelist")
        return redirect("admin:channels_app_agent_change", agent.pk)

    def delete_model(self, request: HttpRequest, obj: Agent) -> None:
        services.delete_agent(obj, by=actor_of(request))


def _problem(agent: Agent) -> str:
    """Say why this person can't answer; empty when they can."""
    if not agent.user.is_active:
        return "the user is at rest"
    if getattr(agent, "may_answer", True):
        return ""
    if agent.user.tenant_id != agent.tenant_id:
        return "the user belongs to another organisation"
    return "the user is not in the group Agent"
