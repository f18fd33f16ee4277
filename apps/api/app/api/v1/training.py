"""The platform's address of the training API: `from apps.api.app.api.v1.training import router`."""

from chatlift.service.training import router

__all__ = ["router"]
