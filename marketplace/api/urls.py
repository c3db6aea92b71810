"""Every address of the API, by room."""

from django.urls import path
from drf_spectacular.views import SpectacularAPIView

from . import certificates

urlpatterns = [
    path("schema", SpectacularAPIView.as_view(), name="api-schema"),
    # accounts
    # lots, pricing, compliance
    # market
    # freight, deals, logistics
    # certificates
    path("v1/deals/<int:pk>/processing-report/", certificates.ProcessingReports.as_view()),
    path("v1/certificates/", certificates.Certificates.as_view()),
    path("v1/certificates/<str:code>/", certificates.CertificateByCode.as_view()),
    path("v1/verify/", certificates.Verify.as_view(), name="api-verify"),
]
