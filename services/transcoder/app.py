"""The transcoder service: `celery -A services.transcoder.app worker`."""

from services.transcoder.binary import find
from services.transcoder.catalogue import catalogue
from services.transcoder.fitness import check_sandbox, preflight
from services.transcoder.policy import POLICY
from services.transcoder.settings import settings
from services.transcoder.tasks import HANDLERS
from shared.contracts.transcoder import CONTRACT
from shared.service import Service
from shared.worker import make_app

CHECKS = {"ffmpeg": lambda: find(settings()), "sandbox": check_sandbox}
app = make_app(Service(CONTRACT, POLICY, settings(), HANDLERS, catalogue, preflight=preflight, checks=CHECKS))
