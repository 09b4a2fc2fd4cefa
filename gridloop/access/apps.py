from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "gridloop.access"
    label = "access"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from gridloop.access.handlers import listen

        listen()
