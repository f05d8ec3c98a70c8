"""The avatar service: `celery -A services.avatar.app worker`."""

from functools import partial

from services.avatar.catalogue import catalogue
from services.avatar.policy import POLICY
from services.avatar.settings import settings
from services.avatar.tasks import HANDLERS
from services.avatar.warm_up import warm_up
from shared.contracts.avatar import CONTRACT
from shared.service import Service
from shared.worker import make_app

app = make_app(
    Service(CONTRACT, POLICY, settings(), HANDLERS, catalogue, warm_up=warm_up, warm_up_for={"gpu": partial(warm_up, "gpu")}),
)
