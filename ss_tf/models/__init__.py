"""Networks: ResNets, their quantization-aware form and their canonical int8 form."""
