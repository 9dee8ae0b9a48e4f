"""The Gradio app: a face on `lab`. Imports `lab`, never the other way."""

import os

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # gradio reads it at import, and looks up hosts without it
os.environ.setdefault("GRADIO_DEFAULT_CONCURRENCY_LIMIT", "8")  # `Blocks.queue` would do it by making the app again
