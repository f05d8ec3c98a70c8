"""The neural models: data files beside this module, checked by digest when they are loaded, one interpreter a process.

LiteRT (`ai-edge-litert`) runs them: 0.4 s and 25 MB to import, 5 to 15 ms a model to load, fork-safe, wheels for CPython 3.11 to 3.13
on x86-64 and ARM. It is imported here and only when a photo comes (or by `warm_up`).
"""

import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from services.avatar.settings import settings
from services.avatar.weights import reviewed

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

FOLDER = Path(__file__).parent / "models"
SHA256 = {
    "face_detection_short_range.tflite": "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
    "face_detection_full_range_sparse.tflite": "2c3728e6da56f21e21a320433396fb06d40d9088f2247c05e5635a688d45dfe1",
    "face_landmark.tflite": "1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814",
    "selfie_segmentation.tflite": "9ee168ec7c8f2a16c56fe8e1cfbc514974cbbb7e434051b455635f1bd1462f5c",
}
"""The weights as they were when they were judged; NOTICE.md says where they come from."""


@dataclass(frozen=True, slots=True)
class Model:
    """A loaded model. An interpreter holds its tensors, so one call at a time: the warm-up thread may be using it."""

    interpreter: Any
    lock: threading.Lock

    @property
    def edge(self) -> int:
        """The edge of its square input, in pixels."""
        return int(self.interpreter.get_input_details()[0]["shape"][1])

    def run(self, pixels: "Floats") -> "dict[int, Floats]":
        """Outputs by their last dimension, for an input of shape (edge, edge, 3)."""
        with self.lock:
            self.interpreter.set_tensor(self.interpreter.get_input_details()[0]["index"], pixels[None])
            self.interpreter.invoke()
            return {int(out["shape"][-1]): self.interpreter.get_tensor(out["index"])[0] for out in self.interpreter.get_output_details()}


@cache
def load_model(name: str, folder: Path = FOLDER) -> Model:
    """The model `name`, verified and ready.

    Raises:
        SettingsError: the file is missing or is not the one whose digest is written here.
    """
    weights = reviewed(folder / name, SHA256[name])
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - heavy; never in the worker's parent

    interpreter = Interpreter(model_content=weights, num_threads=settings().model_threads)
    interpreter.allocate_tensors()
    return Model(interpreter, threading.Lock())
