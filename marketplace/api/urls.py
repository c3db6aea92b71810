"""Every address of the API, by room."""

from django.urls import path
from drf_spectacular.views import SpectacularAPIView

from . import accounts, certificates, lots, market, money

urlpatterns = [
    path("schema", SpectacularAPIView.as_view(), name="api-schema"),
    # accounts
    path("v1/me/", accounts.Me.as_view(), name="api-me"),
    path("v1/organisations/", accounts.Organisations.as_view(), name="api-organisations"),
    path("v1/licences/", accounts.Licences.as_view(), name="api-licences"),
    path("v1/licences/<int:pk>/", accounts.OneLicence.as_view(), name="api-licence"),
    path("v1/licences/<int:pk>/submit/", accounts.LicenceSubmission.as_view()),
    path("v1/licences/<int:pk>/claim/", accounts.LicenceClaim.as_view()),
    path("v1/licences/<int:pk>/checks/", accounts.LicenceChecks.as_view()),
    path("v1/licences/<int:pk>/approvals/", accounts.LicenceApprovals.as_view()),
    path("v1/licences/<int:pk>/refusal/", accounts.LicenceRefusal.as_view()),
    path("v1/licences/<int:pk>/question/", accounts.LicenceQuestion.as_view()),
    path("v1/licences/<int:pk>/suspension/", accounts.LicenceSuspension.as_view()),
    path("v1/tokens/", accounts.Tokens.as_view(), name="api-tokens"),
    path("v1/tokens/<int:pk>/", accounts.OneToken.as_view(), name="api-token"),
    path("v1/notices/", accounts.Notices.as_view(), name="api-notices"),
    path("v1/notices/<int:pk>/read/", accounts.NoticeRead.as_view(), name="api-notice-read"),
    # lots, pricing, compliance
    path("v1/lots/", lots.Lots.as_view(), name="api-lots"),
    path("v1/lots/<int:pk>/", lots.OneLot.as_view(), name="api-lot"),
    path("v1/lots/<int:pk>/photos/", lots.Photos.as_view(), name="api-lot-photos"),
    path("v1/lots/<int:pk>/photos/<int:photo_pk>/", lots.OnePhoto.as_view(), name="api-lot-photo"),
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
    path("v1/auctions/", market.Auctions.as_view()),
    path("v1/auctions/<int:pk>/", market.AuctionById.as_view()),
    path("v1/auctions/<int:pk>/bids/", market.Bids.as_view(), name="api-bids"),
    path("v1/auctions/<int:pk>/decision/", market.Decision.as_view()),
    path("v1/auctions/<int:pk>/withdrawal/", market.Withdrawal.as_view()),
    path("v1/awards/", market.Awards.as_view()),
    path("v1/money/", money.Balances.as_view()),
    path("v1/money/statement/", money.Statement.as_view()),
    path("v1/money/payments/", money.Payments.as_view()),
    path("v1/money/top-ups/", money.TopUps.as_view()),
    path("v1/money/pay-outs/", money.PayOuts.as_view()),
    # freight, deals, logistics
    # certificates
    path("v1/deals/<int:pk>/processing-report/", certificates.ProcessingReports.as_view()),
    path("v1/certificates/", certificates.Certificates.as_view()),
    path("v1/certificates/<str:code>/", certificates.CertificateByCode.as_view()),
    path("v1/verify/", certificates.Verify.as_view(), name="api-verify"),
]
