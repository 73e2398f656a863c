"""From a latent to what an app receives: session, log, server, command line."""
