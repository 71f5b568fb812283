"""What `torch.func` is made of: batches of calls as one call (`vmap`), and how gradients are taken inside them."""
