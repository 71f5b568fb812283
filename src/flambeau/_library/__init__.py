"""What `torch.library` is made of: schemas, and operators that users define."""
