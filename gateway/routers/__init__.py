"""gateway/routers."""
