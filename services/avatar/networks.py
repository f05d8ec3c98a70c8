"""The painting networks: ONNX files beside this module, checked by digest when they are loaded, one session a process.

onnxruntime survives a fork, but is imported here and only in a pool child, like everything that is heavy. Its memory arena is off: it
would keep a painting's 400 MB for ever.
"""

from functools import cache
from pathlib import Path
from typing import Any, Final

from services.avatar.settings import settings
from services.avatar.weights import reviewed

FOLDER = Path(__file__).parent / "models"
MULTISTYLE: Final = "multistyle26.onnx"
PREDICT: Final = "arbitrary_predict.onnx"
TRANSFORM: Final = "arbitrary_transform.onnx"
SHA256: Final = {
    MULTISTYLE: "0a2a0c9436a935cd1d4279cd06e171475b06222cb37c8c8d4afc53a9a7a1885e",
    PREDICT: "d832a92a6afc170510252cc5b65836fcf8354909e6f17cf02f8960f4e054a20d",
    TRANSFORM: "866c80c340bee8d1c72f5237476244ccd9a6c1b11afdb9e7de37591b7a2345cd",
}
"""The weights as they were when they were judged; NOTICE.md says where they come from."""


@cache
def network(name: str, folder: Path = FOLDER) -> Any:
    """The onnxruntime session of `name`, verified and ready.

    Raises:
        SettingsError: the file is missing or is not the one whose digest is written here.
    """
    weights = reviewed(folder / name, SHA256[name])
    import onnxruntime  # noqa: PLC0415 - heavy; never in the worker's parent

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = settings().painting_threads
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # waiting threads would burn the other child's core
    return onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
