"""A window. People, organisations and licences are changed by their own pages and by /staff/."""

from django.contrib import admin

from marketplace.core.window import Window

from .models import Licence, LicenceYear, Membership, Organisation, User


@admin.register(User)
class UserAdmin(Window):
    list_display = ("id", "name", "email", "phone", "is_staff", "is_active", "date_joined")
    search_fields = ("name", "email", "phone")
    exclude = ("password",)


@admin.register(Organisation)
class OrganisationAdmin(Window):
    list_display = ("id", "name", "country", "tier", "status")
    list_filter = ("status", "tier", "country")
    search_fields = ("name",)


@admin.register(Membership)
class MembershipAdmin(Window):
    list_display = ("id", "user", "organisation", "role")
    list_select_related = ("user", "organisation")
    list_filter = ("role",)


@admin.register(Licence)
class LicenceAdmin(Window):
    list_display = ("id", "number", "organisation", "licence_type", "status", "valid_until")
    list_select_related = ("organisation", "licence_type")
    list_filter = ("status", "country")


@admin.register(LicenceYear)
class LicenceYearAdmin(Window):
    list_display = ("id", "licence", "year", "limit_kg", "drawn_kg")
