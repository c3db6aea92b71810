"""Every page of the site. Names are flat: home, lots, lot, sell-start, lot-submit, auction …"""

from django.urls import include, path

from . import certificates, public

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
    path("accounts/", include("allauth.urls")),
    # --- lots and intake
    # --- auctions and bids
    # --- deals, shipments, freight
    # --- certificates
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
    path(
        "withdrawals/<int:pk>/decide/", certificates.withdrawal_decide, name="withdrawal-decide"
    ),
    path("deals/<int:pk>/processing/", certificates.processing_report, name="processing-report"),
    # --- messages
    # --- staff: jobs, dead letters
]
