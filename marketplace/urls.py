from django.urls import include, path

urlpatterns = [
    path("", include("marketplace.web.urls")),
    path("api/", include("marketplace.api.urls")),
    path("", include("marketplace.ops.urls")),
]
