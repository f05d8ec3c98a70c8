"""The transcoder service: `celery -A services.transcoder.app worker`."""

from services.transcoder.binary import find, tools
from services.transcoder.catalogue import catalogue
from services.transcoder.policy import POLICY
from services.transcoder.settings import settings
from services.transcoder.tasks import HANDLERS
from shared.contracts.transcoder import CONTRACT
from shared.service import Service
from shared.worker import make_app

app = make_app(Service(CONTRACT, POLICY, settings(), HANDLERS, catalogue, preflight=tools, checks={"ffmpeg": lambda: find(settings())}))
