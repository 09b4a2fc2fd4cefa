from django.apps import AppConfig


class FlowConfig(AppConfig):
    name = "gridloop.flow"
    label = "flow"
    default_auto_field = "django.db.models.BigAutoField"
