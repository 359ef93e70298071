"""What AI assistants can do, by the Model Context Protocol: tools, resources and prompts.

All of it is a client of the REST API. How messages travel is not its matter: `cli` has them come
over stdin and stdout, `web` over HTTP.
"""
