"""A real RTSP server for tests, run by the system's Python: moving pictures in usual codecs, and in an odd one."""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402 - after the versions

MOVING = (
    "videotestsrc is-live=true pattern=ball background-color=0xff808080 ! "
    "video/x-raw,width=320,height=240,framerate=20/1 ! videoconvert ! video/x-raw,format=I420 ! "
)
STREAMS = {
    "h264": "x264enc tune=zerolatency key-int-max=20 speed-preset=ultrafast ! rtph264pay name=pay0 config-interval=1",
    "h265": "x265enc tune=zerolatency key-int-max=20 speed-preset=ultrafast ! rtph265pay name=pay0 config-interval=1",
    "mjpeg": "jpegenc ! rtpjpegpay name=pay0",
    "odd": "rtpgstpay name=pay0",  # of GStreamer's own making
    "speech": None,
}
SPEECH = "( audiotestsrc is-live=true ! audioconvert ! alawenc ! rtppcmapay name=pay0 )"


def main(port: str, user: str, password: str) -> None:
    Gst.init(None)
    server = GstRtspServer.RTSPServer.new()
    server.set_address("127.0.0.1")
    server.set_service(port)
    if user:
        auth = GstRtspServer.RTSPAuth.new()
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "viewer")
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
        server.set_auth(auth)
    for name, encoder in STREAMS.items():
        factory = GstRtspServer.RTSPMediaFactory.new()
        factory.set_launch(SPEECH if encoder is None else f"( {MOVING}{encoder} )")
        factory.set_shared(True)
        if user:
            permissions = GstRtspServer.RTSPPermissions()
            for permission in ("media.factory.access", "media.factory.construct"):
                permissions.add_permission_for_role("viewer", permission, True)
            factory.set_permissions(permissions)
        server.get_mount_points().add_factory(f"/{name}", factory)
    server.attach(None)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    GLib.MainLoop().run()


main(*sys.argv[1:4])
