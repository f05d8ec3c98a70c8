"""The transcoder's one command: typed message in, domain call, typed result out."""

from collections.abc import Mapping

from services.transcoder.binary import tools
from services.transcoder.settings import settings
from services.transcoder.transcode import transcode
from shared.contracts.transcoder import Transcode, TranscodeResult
from shared.job import Job
from shared.service import Handler


def run(command: Transcode, job: Job) -> TranscodeResult:
    """Transcode the source as the presets say. Raises PermanentError for bad input, TransientError for what may pass."""
    return transcode(command, job, tools(), settings())


HANDLERS: Mapping[str, Handler] = {Transcode.kind: run}
