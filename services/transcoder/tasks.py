"""The transcoder's commands: typed message in, domain call, typed result out."""

from collections.abc import Mapping

from services.transcoder.binary import tools
from services.transcoder.settings import settings
from services.transcoder.transcode import encode_segment, transcode
from shared.contracts.transcoder import EncodeSegment, SegmentResult, Transcode, TranscodeResult
from shared.job import FanOut, Job
from shared.service import Handler


def run(command: Transcode, job: Job) -> TranscodeResult | FanOut:
    """Transcode the source as the presets say. Raises PermanentError for bad input, TransientError for what may pass."""
    return transcode(command, job, tools(), settings())


def segment(command: EncodeSegment, job: Job) -> SegmentResult:
    """Encode one segment of a long film. Raises as `run`."""
    return encode_segment(command, job, tools(), settings())


HANDLERS: Mapping[str, Handler] = {Transcode.kind: run, EncodeSegment.kind: segment}
