"""How good an output is: VMAF against the source at the output's size, and its frames, counted."""

import re
import subprocess
from pathlib import Path

from services.transcoder.binary import tools


def _ask(path: Path, what: str) -> list[int]:
    command = [str(tools().ffprobe.path), "-v", "error", "-select_streams", "v", "-count_packets", "-show_entries", f"stream={what}"]
    said = subprocess.run([*command, "-of", "csv=p=0", str(path)], check=True, capture_output=True).stdout.decode()
    return [int(number) for number in re.findall(r"\d+", said.partition("\n")[0])]


def frames(path: Path) -> int:
    """Pictures in the file."""
    return _ask(path, "nb_read_packets")[0]


def vmaf(path: Path, source: Path) -> float:
    """The mean over every fifth frame."""
    width, height = _ask(path, "width,height")
    whole = f"[1:v]settb=1/1000,setpts=N,scale={width}:{height}:flags=bicubic,format=yuv420p[whole]"
    graph = f"[0:v]settb=1/1000,setpts=N,format=yuv420p[made];{whole};[made][whole]libvmaf=n_subsample=5:n_threads=2"
    command = [str(tools().ffmpeg.path), "-nostdin", "-i", str(path), "-i", str(source), "-lavfi", graph, "-f", "null", "-"]
    said = subprocess.run(command, check=True, capture_output=True).stderr.decode(errors="replace")
    found = re.search(r"VMAF score: ([\d.]+)", said)
    if found is None:
        raise RuntimeError(f"no VMAF score: {said[-500:]}")
    return float(found.group(1))
