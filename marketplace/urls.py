from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import include, path

admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

urlpatterns = [
    path("", include("marketplace.web.urls")),
    path("admin/", admin.site.urls),
    path("api/", include("marketplace.api.urls")),
    path("", include("marketplace.ops.urls")),
]
