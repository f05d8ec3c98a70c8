"""What an avatar costs: warm and cold, in time and memory, beside DiceBear's own renderer in Node."""
