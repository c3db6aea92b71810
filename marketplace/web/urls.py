"""Every page of the site. Names are flat: home, lots, lot, sell-start, lot-submit, auction …"""

from django.urls import include, path
from django.views.generic import RedirectView

from . import accounts, certificates, licences, lots, market, money, notices, public, sell, staff

urlpatterns = [
    # --- for everybody: public.py
    path("", public.home, name="home"),
    path("language/", public.language, name="language"),
    path("prices/", public.prices, name="prices"),
    path("learn/", public.learn, name="learn"),
    path("help/", public.help_, name="help"),
    path("transparency/", public.transparency, name="transparency"),
    path("offline/", public.offline, name="offline"),
    path("sw.js", public.service_worker, name="service-worker"),
    path("manifest.webmanifest", public.manifest, name="manifest"),
    # --- people, organisations, licences, verifier queue
    path("accounts/signup/", accounts.sign_up, name="account_signup"),
    path("accounts/password/reset/", accounts.forgotten, name="account_reset_password"),
    path("accounts/email/", RedirectView.as_view(pattern_name="settings"), name="account_email"),
    path("accounts/code/", accounts.join_code, name="join-code"),
    path("accounts/code/again/", accounts.code_again, name="code-again"),
    path("accounts/join/", accounts.join, name="join"),
    path("accounts/new-password/", accounts.new_password, name="new-password"),
    path("accounts/", include("allauth.urls")),
    path("act-for/", accounts.act_for, name="act-for"),
    path("organisation/", accounts.organisation, name="organisation"),
    path("organisation/members/", accounts.members, name="members"),
    path("organisation/members/<int:pk>/remove/", accounts.member_remove, name="member-remove"),
    path("organisation/tokens/", accounts.tokens, name="tokens"),
    path("organisation/tokens/<int:pk>/revoke/", accounts.token_revoke, name="token-revoke"),
    path("invitations/<int:pk>/accept/", accounts.invitation_accept, name="invitation-accept"),
    path("settings/", accounts.own_settings, name="settings"),
    path("settings/copies/", accounts.own_copies, name="settings-copies"),
    path("licences/", licences.licences, name="licences"),
    path("licences/apply/", licences.licence_apply, name="licence-apply"),
    path("licences/<int:pk>/", licences.licence, name="licence"),
    path("licences/<int:pk>/edit/", licences.licence_edit, name="licence-edit"),
    path("licences/<int:pk>/submit/", licences.licence_submit, name="licence-submit"),
    path("licences/<int:pk>/suspend/", licences.licence_suspend, name="licence-suspend"),
    path("licences/<int:pk>/reinstate/", licences.licence_reinstate, name="licence-reinstate"),
    path("documents/<int:pk>/", licences.document, name="document"),
    path("verify-queue/", licences.verify_queue, name="verify-queue"),
    path("verify-queue/<int:pk>/", licences.verify_licence, name="verify-licence"),
    path("verify-queue/<int:pk>/claim/", licences.licence_claim, name="licence-claim"),
    path("verify-queue/<int:pk>/let-go/", licences.licence_let_go, name="licence-let-go"),
    path("verify-queue/<int:pk>/check/", licences.licence_check, name="licence-check"),
    path("verify-queue/<int:pk>/approve/", licences.licence_approve, name="licence-approve"),
    path("verify-queue/<int:pk>/refuse/", licences.licence_refuse, name="licence-refuse"),
    path("verify-queue/<int:pk>/ask/", licences.licence_ask, name="licence-ask"),
    # --- lots and intake
    path("sell/", sell.start, name="sell-start"),
    path(
        "sell/<int:pk>/photos/<int:photo_pk>/remove/", sell.photo_remove, name="sell-photo-remove"
    ),
    path("sell/<int:pk>/<str:name>/", sell.step, name="sell-step"),
    path("lots/", lots.lots, name="lots"),
    path("lots/<int:pk>/", lots.lot, name="lot"),
    path("lots/<int:pk>/answer/", lots.answer, name="lot-answer"),
    path("lots/<int:pk>/withdraw/", lots.withdraw, name="lot-withdraw"),
    path("lots/<int:pk>/safety-pickup/", lots.safety_pickup, name="lot-safety-pickup"),
    path("lots/<int:pk>/photos/<int:photo_pk>.jpg", lots.photo, name="lot-photo"),
    # --- auctions and bids
    path("market/", market.market, name="market"),
    path("lots/<int:pk>/auction/", market.plan_auction, name="auction-plan"),
    path("auctions/<int:pk>/", market.auction, name="auction"),
    path("auctions/<int:pk>/live/", market.auction_live, name="auction-live"),
    path("auctions/<int:pk>/bid/", market.bid, name="bid"),
    path("auctions/<int:pk>/decision/", market.decision, name="auction-decision"),
    path("auctions/<int:pk>/withdraw/", market.withdraw_auction, name="auction-withdraw"),
    path("bids/", market.my_bids, name="my-bids"),
    path("money/", money.money, name="money"),
    path("money/add/", money.add, name="money-add"),
    path("money/pay-out/", money.pay_out, name="money-pay-out"),
    # --- deals, shipments, freight
    # --- certificates
    path("help/credentials/", certificates.scheme, name="credentials-scheme"),
    path("verify/", certificates.verify, name="verify"),
    path("v/<str:code>/", certificates.certificate, name="certificate"),
    path(
        "v/<str:code>/credential.jwt",
        certificates.certificate_credential,
        name="certificate-credential",
    ),
    path("v/<str:code>/certificate.pdf", certificates.certificate_paper, name="certificate-paper"),
    path(".well-known/did.json", certificates.did_document, name="did-document"),
    path("status/<int:number>/", certificates.status_list, name="status-list"),
    path("certificates/", certificates.certificates, name="certificates"),
    path(
        "certificates/<str:code>/withdrawal/",
        certificates.certificate_withdrawal,
        name="certificate-withdrawal",
    ),
    path("withdrawals/<int:pk>/decide/", certificates.withdrawal_decide, name="withdrawal-decide"),
    path("deals/<int:pk>/processing/", certificates.processing_report, name="processing-report"),
    # --- messages
    path("inbox/", notices.inbox, name="inbox"),
    path("inbox/read/", notices.notices_read, name="notices-read"),
    path("inbox/<int:pk>/open/", notices.notice_open, name="notice-open"),
    # --- staff: jobs, dead letters
    path("staff/jobs/", staff.jobs, name="staff-jobs"),
    path("staff/jobs/<int:pk>/retry/", staff.job_retry, name="staff-job-retry"),
    path("staff/jobs/<int:pk>/discard/", staff.job_discard, name="staff-job-discard"),
    path("staff/organisations/", staff.organisations, name="staff-organisations"),
    path(
        "staff/organisations/<int:pk>/freeze/",
        staff.organisation_freeze,
        name="staff-organisation-freeze",
    ),
    path(
        "staff/organisations/<int:pk>/release/",
        staff.organisation_release,
        name="staff-organisation-release",
    ),
]
