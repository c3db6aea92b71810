"""A window on reference data. Prices are not changed here; the rest an operator may correct."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from . import models


class ReferenceAdmin(admin.ModelAdmin[Any]):
    list_filter = ("confidence",)
    list_select_related = ("source",)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class PriceAdmin(ReferenceAdmin):
    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class QuoteAdmin(PriceAdmin):
    """Quotes and rates come from files, or from two people: not from one person at this window."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


@admin.register(models.Source)
class SourceAdmin(admin.ModelAdmin[models.Source]):
    list_display = ("code", "title", "published_on", "read_on")
    search_fields = ("code", "title")


admin.site.register([models.CurrencyRate, models.MetalQuote], QuoteAdmin)
admin.site.register(models.LithiumPointQuote, PriceAdmin)
admin.site.register(
    [
        models.Chemistry,
        models.ChemistryMaterial,
        models.ChemistryPrior,
        models.Country,
        models.DangerousGoodsRule,
        models.DriverHours,
        models.EmissionFactor,
        models.LicenceType,
        models.PackingInstruction,
        models.PackModel,
        models.Parameter,
        models.PayableTerm,
        models.RecoveryRate,
        models.ReuseGate,
        models.SecondLifePrice,
        models.SpecialProvision,
        models.TruckKind,
        models.UnEntry,
    ],
    ReferenceAdmin,
)
