"""ImageNet's classes grouped into superclasses, from the ILSVRC2012 archives."""
