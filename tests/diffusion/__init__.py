"""The diffusion engine with a real, tiny pipeline, on a CPU. Needs the group avatar-gpu, and says so where that is missing."""
