"""What a diffusion model costs on a card: full-size architectures with random weights, so that no download is needed."""
