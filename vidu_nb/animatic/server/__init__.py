"""The preview server: the service's HTTP API on 127.0.0.1, answered by the preview engine."""
