"""A Django project in one file: settings, one view, and the management command."""

import sys

from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpResponse
from django.urls import path

settings.configure(
    DEBUG=True,
    ROOT_URLCONF=__name__,
    SECRET_KEY="for tests only",
    ALLOWED_HOSTS=["localhost", "127.0.0.1", "[::1]"],
)

urlpatterns = [path("", lambda request: HttpResponse("django answers"))]

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
