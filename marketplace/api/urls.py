"""Every address of the API, by room."""

from django.urls import path
from drf_spectacular.views import SpectacularAPIView

urlpatterns = [
    path("schema", SpectacularAPIView.as_view(), name="api-schema"),
    # accounts
    # lots, pricing, compliance
    # market
    # freight, deals, logistics
    # certificates
]
