"""The mailer service: `celery -A services.mailer.app worker`."""

from services.mailer.catalogue import catalogue
from services.mailer.dkim_keys import refuse_unusable
from services.mailer.policy import POLICY, UPKEEP, WITH_BOUNCES
from services.mailer.relay_check import check_relay
from services.mailer.settings import settings
from services.mailer.tasks import HANDLERS
from services.mailer.templates import bound_memory
from shared.contracts.mailer import CONTRACT
from shared.service import Service
from shared.worker import make_app

app = make_app(
    Service(
        CONTRACT,
        POLICY,
        settings(),
        HANDLERS,
        catalogue,
        warm_up=bound_memory,
        preflight=refuse_unusable,
        schedule=WITH_BOUNCES if settings().bounce_maildir else UPKEEP,
        checks={"smtp": check_relay},
    )
)
