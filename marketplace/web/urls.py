"""Every page of the site. Names are flat: home, lots, lot, sell-start, lot-submit, auction …"""

from django.urls import include, path

from . import public

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
    # --- messages
    # --- staff: jobs, dead letters
]
