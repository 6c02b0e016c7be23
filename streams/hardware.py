"""Which device decodes a camera's video, asked once, with the reason where it is the processor.

Whether a stream is then really decoded there is the decoder's own answer, `Source.decoder`: a device takes
only some codecs, and what it does not take is decoded in software.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

import av
from av.codec.hwaccel import HWAccel, hwdevices_available

from detector.errors import SourceUnreadable, Trouble

Decoder = Literal["software", "auto", "cuda", "vaapi", "videotoolbox", "d3d11va"]

SOFTWARE: Decoder = "software"
AUTO: Decoder = "auto"
# Best first. Those whose pictures are dear to fetch back (vulkan, opencl) are not asked.
_DEVICES: tuple[Decoder, ...] = ("cuda", "vaapi", "videotoolbox", "d3d11va")


@dataclass(frozen=True, slots=True)
class Choice:
    """The device that decodes; None: the processor, and `why`."""

    device: str | None
    why: str


@cache
def choose(decoder: Decoder) -> Choice:
    """Turn the site file's word into a device. A device that is named and not here is no device and a why."""
    if decoder == SOFTWARE:
        return Choice(None, "decoder = software")
    refusals = []
    for device in _DEVICES if decoder == AUTO else (decoder,):
        refusal = _refusal_of(device)
        if not refusal:
            return Choice(device, "")
        refusals.append(f"{device}: {refusal}")
    return Choice(None, "; ".join(refusals))


def decoding_on(decoder: Decoder) -> HWAccel | None:
    """What `av.open` is given. Raises SourceUnreadable when the device was named and is not here."""
    choice = choose(decoder)
    if choice.device is None:
        if decoder in (SOFTWARE, AUTO):
            return None
        raise SourceUnreadable(
            "this machine cannot decode there",
            trouble=Trouble.NO_VIDEO,
            where="decoder",
            wanted=decoder,
            got=choice.why,
            todo=f'Set decoder = "{AUTO}" or "{SOFTWARE}", or install the device and its driver',
        )
    return HWAccel(choice.device, allow_software_fallback=True)


def _refusal_of(device: str) -> str:
    """Why this device cannot be used, "" when it can: one is made for H.264 and let go."""
    if device not in hwdevices_available():
        return "not built into this PyAV"
    try:
        HWAccel(device).create(av.Codec("h264", "r"))
    except NotImplementedError:
        return "does not decode H.264"
    except av.FFmpegError as error:
        return f"no such device ({error.strerror or type(error).__name__})"
    return ""
