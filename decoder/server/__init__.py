"""The websocket server and the page."""
