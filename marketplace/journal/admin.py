"""A window: nothing is changed here. Failed jobs are retried and given up on /staff/jobs/."""

from django.contrib import admin

from marketplace.core.window import Window

from .models import Delivery, Entry, Job, Schedule


@admin.register(Entry)
class EntryAdmin(Window):
    list_display = ["id", "name", "actor", "organisation_id", "at"]
    list_filter = ["name"]
    show_full_result_count = False


@admin.register(Delivery)
class DeliveryAdmin(Window):
    list_display = ["id", "entry_id", "handler", "at"]
    show_full_result_count = False


@admin.register(Job)
class JobAdmin(Window):
    list_display = ["id", "kind", "state", "attempts", "run_after", "ended_at"]
    list_filter = ["state", "kind"]
    show_full_result_count = False


@admin.register(Schedule)
class ScheduleAdmin(Window):
    list_display = ["name", "every_seconds", "next_at"]
