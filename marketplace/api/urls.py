"""Every address of the API, by room."""

from django.urls import path
from drf_spectacular.views import SpectacularAPIView

from . import certificates, lots

urlpatterns = [
    path("schema", SpectacularAPIView.as_view(), name="api-schema"),
    # accounts
    # lots, pricing, compliance
    path("v1/lots/", lots.Lots.as_view(), name="api-lots"),
    path("v1/lots/<int:pk>/", lots.OneLot.as_view(), name="api-lot"),
    path("v1/lots/<int:pk>/photos/", lots.Photos.as_view(), name="api-lot-photos"),
    path(
        "v1/lots/<int:pk>/photos/<int:photo_pk>/", lots.OnePhoto.as_view(), name="api-lot-photo"
    ),
    path("v1/lots/<int:pk>/answers/", lots.Answers.as_view(), name="api-lot-answers"),
    path("v1/lots/<int:pk>/submit/", lots.Submission.as_view(), name="api-lot-submit"),
    path("v1/lots/<int:pk>/withdraw/", lots.LotWithdrawal.as_view(), name="api-lot-withdraw"),
    path("v1/lots/<int:pk>/valuation/", lots.LotValuation.as_view(), name="api-lot-valuation"),
    path(
        "v1/lots/<int:pk>/classification/",
        lots.LotClassification.as_view(),
        name="api-lot-classification",
    ),
    # market
    # freight, deals, logistics
    # certificates
    path("v1/deals/<int:pk>/processing-report/", certificates.ProcessingReports.as_view()),
    path("v1/certificates/", certificates.Certificates.as_view()),
    path("v1/certificates/<str:code>/", certificates.CertificateByCode.as_view()),
    path("v1/verify/", certificates.Verify.as_view(), name="api-verify"),
]
