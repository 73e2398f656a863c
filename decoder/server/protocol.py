"""How the server speaks websocket."""

from __future__ import annotations

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

__all__ = ["WebSocketProtocol"]


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """Uvicorn's, without the traceback that it prints for each text that is no UTF-8.

    Anybody could fill a log with these. The connection is closed with 1007 as before.
    """

    def send_receive_event_to_app(self) -> None:
        """Give a message to the application, or close."""
        if self.curr_msg_data_type == "text" and not self.close_sent:
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                self.frames = []
                self.conn.send_close(1007, "text must be UTF-8")
                self.handle_parser_exception()
                return
        super().send_receive_event_to_app()
