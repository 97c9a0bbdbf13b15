"""The work types' pages."""

from collections import defaultdict
from datetime import time
from itertools import pairwise
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.dateformat import format as dateformat
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from channels_app.models import OpeningHours, WorkType
from channels_app.models.work_type import END_OF_DAY, MIDNIGHT, WEEKDAYS
from channels_app.sessions import work_types as services
from project.access.current import actor_of
from project.race_safe import RaceSafeAdmin

SPANS_AT_MOST = 50


class WorkTypeForm(forms.ModelForm[WorkType]):
    class Meta:
        model = WorkType
        fields = ["name", "code", "is_active", "is_default", "offer_seconds"]
        labels = {
            "code": "ID",
            "is_active": "Active",
            "is_default": "Default",
            "offer_seconds": "Seconds to take an offer",
        }

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("is_default") and not cleaned.get("is_active"):
            self.add_error("is_default", "What takes no new sessions can't be the default.")
        return cleaned

    def _get_validation_exclusions(self) -> set[str]:
        # A new default takes the old one's place, so that there is one is no reason to refuse.
        excluded: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]
        return excluded | {"is_default"}


class TimeOfDay(forms.TimeField):
    """A time on a clock of 24 hours, whatever the browser's language."""

    def __init__(self, **kwargs: Any) -> None:
        attrs = {"inputmode": "numeric", "placeholder": "08:00", "size": 6, "autocomplete": "off"}
        super().__init__(
            input_formats=["%H:%M"],
            widget=forms.TimeInput(attrs, format="%H:%M"),
            error_messages={"invalid": "Enter a time such as 08:00."},
            **kwargs,
        )


class ClosingTime(TimeOfDay):
    """Midnight is the end of the day, written as 24:00 or 00:00."""

    def to_python(self, value: Any) -> time | None:
        return super().to_python("00:00" if str(value).strip() == END_OF_DAY else value)

    def prepare_value(self, value: Any) -> Any:
        return END_OF_DAY if value == MIDNIGHT else super().prepare_value(value)


class HoursForm(forms.ModelForm[OpeningHours]):
    opens = TimeOfDay(label="From")
    closes = ClosingTime(label="To")

    class Meta:
        model = OpeningHours
        fields = ["weekday", "opens", "closes"]


class WeekOfHours(BaseInlineFormSet[OpeningHours, WorkType, HoursForm]):
    def clean(self) -> None:
        """Refuse spans of one weekday that overlap; they may touch."""
        super().clean()
        days = defaultdict[int, list[OpeningHours]](list)
        for form in self.forms:
            span = form.instance
            gone = form.cleaned_data.get("DELETE") if form.is_valid() else True
            if not gone and form.has_changed() | bool(span.pk):
                days[span.weekday].append(span)
        problems = []
        for day, spans in sorted(days.items()):
            for one, next_one in pairwise(sorted(spans, key=lambda span: span.opens)):
                if one.closes == MIDNIGHT or next_one.opens < one.closes:
                    words = f"{one.times} and {next_one.times} overlap."
                    problems.append(f"{WEEKDAYS[day][1]}: {words}")
        if problems:
            raise ValidationError(problems)


class HoursInline(admin.TabularInline[OpeningHours, WorkType]):
    model = OpeningHours
    form = HoursForm
    formset = WeekOfHours  # type: ignore[assignment]
    extra = 0
    max_num = SPANS_AT_MOST
    verbose_name = "span"
    verbose_name_plural = "Opening hours"


@admin.register(WorkType)
class WorkTypeAdmin(RaceSafeAdmin[WorkType]):
    form = WorkTypeForm
    inlines = (HoursInline,)
    list_display = ("name", "code_shown", "opening", "standing", "offer", "answered_by")
    list_display_links = ("name",)
    search_fields = ("name", "code")
    search_help_text = "Name or ID"
    sortable_by = ("name",)
    actions = None
    change_form_template = "admin/channels_app/worktype/change_form.html"
    change_list_template = "admin/channels_app/worktype/change_list.html"
    fieldsets = (
        (None, {"fields": (("name", "code"), "is_active", "is_default")}),
        ("Offers", {"fields": ("offer_seconds",)}),
        ("Who answers it", {"fields": ("answering",)}),
    )
    readonly_fields = ("answering",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[WorkType]:
        rows = super().get_queryset(request).select_related("tenant")
        return rows.prefetch_related("hours", "agents")

    def get_fieldsets(self, request: HttpRequest, obj: WorkType | None = None) -> Any:
        found = super().get_fieldsets(request, obj)
        return found if obj else found[:-1]

    # --- the list ---------------------------------------------------------------------------------

    @admin.display(description="ID")
    def code_shown(self, work_type: WorkType) -> SafeString:
        return format_html("<code>{}</code>", work_type.code)

    @admin.display(description="now")
    def opening(self, work_type: WorkType) -> SafeString:
        state, words = opening_of(work_type)
        return format_html('<span class="state state-{}">{}</span>', state, words)

    @admin.display(description="new sessions")
    def standing(self, work_type: WorkType) -> SafeString:
        state, word = ("active", "taken") if work_type.is_active else ("resting", "not taken")
        said = format_html('<span class="state state-{}">{}</span>', state, word)
        if work_type.is_default:
            said = format_html('{} <span class="chip">{}</span>', said, "default")
        return said

    @admin.display(description="to take an offer")
    def offer(self, work_type: WorkType) -> str:
        return f"{work_type.offer_seconds} s"

    @admin.display(description="answered by")
    def answered_by(self, work_type: WorkType) -> str:
        return ", ".join(agent.alias for agent in work_type.agents.all()) or "nobody"

    # --- the form ---------------------------------------------------------------------------------

    @admin.display(description="agents")
    def answering(self, work_type: WorkType) -> SafeString | str:
        rows = [
            (reverse("admin:channels_app_agent_change", args=[agent.pk]), agent.alias)
            for agent in work_type.agents.all()
        ]
        if not rows:
            return "Nobody yet. An agent's skills are set on the agent's page."
        return format_html_join(", ", '<a href="{}">{}</a>', rows)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        work_type = context.get("original")
        if work_type is not None:
            context["opening"] = self.opening(work_type)
        context["zone"] = context["adminform"].form.instance.tenant.time_zone
        return super().render_change_form(request, context, *args, **kwargs)

    # --- what is saved ----------------------------------------------------------------------------

    def save_model(
        self, request: HttpRequest, obj: WorkType, form: forms.ModelForm[WorkType], change: bool
    ) -> None:
        by = actor_of(request)
        if not change:
            services.create_work_type(obj, by=by)
        elif form.changed_data:
            services.change_work_type(obj, by=by, changed=form.changed_data)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        kept = formset.save(commit=False)
        services.set_hours(
            form.instance, by=actor_of(request), kept=kept, removed=formset.deleted_objects
        )

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> Any:
        work_type = self.get_object(request, unquote(object_id))
        may = self.has_delete_permission(request, work_type)
        # Asked before Django's page would list all that is in the way, a row each.
        if work_type is not None and may and (why := services.why_it_stays(work_type)):
            return self._stays(request, work_type, why)
        try:
            return super().delete_view(request, object_id, extra_context)
        except services.WorkTypeInUse as error:
            return self._stays(request, work_type, str(error))

    def _stays(self, request: HttpRequest, work_type: WorkType | None, why: str) -> Any:
        messages.error(request, f"{work_type} can't be deleted. {why} Make it inactive instead.")
        if work_type is None:
            return redirect("admin:channels_app_worktype_changelist")
        return redirect("admin:channels_app_worktype_change", work_type.pk)

    def delete_model(self, request: HttpRequest, obj: WorkType) -> None:
        services.delete_work_type(obj, by=actor_of(request))


def opening_of(work_type: WorkType) -> tuple[str, str]:
    """Return a state's name, for its colour, and whether it is open now, in words."""
    now = timezone.now()
    opens = work_type.opens_next(now)
    if opens is None:
        return "resting", "closed at all times"
    if opens <= now:
        always = "" if work_type.hours.all() else ", at all times"
        return "active", f"open now{always}"
    local = opens.astimezone(work_type.tenant.zone)
    is_near = (opens - now).days < 6
    day = dateformat(local, "D" if is_near else "D j M")
    return "resting", f"closed, opens {day} {local:%H:%M}"
