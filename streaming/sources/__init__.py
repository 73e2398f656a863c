"""Where samples and markers come from."""
